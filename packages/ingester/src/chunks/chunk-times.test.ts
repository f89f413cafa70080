import { buildSet, type TestSpan } from '@vivace/block/testing';
import { bytesToHex, type Random, seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import type { HeadView } from '../heads.ts';
import type { ChunkEncoder } from './chunk-encoder.ts';
import { isAsked, timesOf } from './chunk-times.ts';
import { encodeChunk } from './encode-chunk.ts';
import { type Chunk, HeadChunks } from './head-chunks.ts';

const NOW_MS = 1_760_000_000_000;
const NOW = BigInt(NOW_MS) * 1_000_000n;
const MINUTE = 60_000_000_000n;
const SIZES = [32, 8];

/** Spans of the last hours in the order of their coming, with some that are late and some from clocks that are wrong. */
function spansOf(random: Random, count: number): TestSpan[] {
  return Array.from({ length: count }, (_, i) => {
    const late = random.u32() % 10 === 0 ? BigInt(random.u32() % 300) * MINUTE : 0n;
    let start = NOW - 600n * MINUTE + BigInt(Math.floor((600 * i) / count)) * MINUTE - late;
    if (random.u32() % 60 === 0) start = random.u32() % 2 === 0 ? 12_345n : NOW + 90n * MINUTE;
    const end = start + BigInt(random.u32() % 120) * MINUTE;
    return { traceId: bytesToHex(random.bytes(16)), spanId: bytesToHex(random.bytes(8)), start, end };
  });
}

function chunksOver(random: Random) {
  let encoded = 0;
  const encoder: ChunkEncoder = {
    encode: async (...[view, ranges]: Parameters<ChunkEncoder['encode']>) => {
      encoded += ranges.length;
      return ranges.map((range) => encodeChunk(view, range, 7));
    },
    stop: async () => undefined,
  };
  const chunks = new HeadChunks({
    encoder,
    clock: { nowMs: () => NOW_MS },
    random,
    maxBytes: 1 << 26,
    sizes: SIZES,
  });
  return { chunks, encoded: () => encoded };
}

function rowsOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { entry }) => sum + entry.rows, 0);
}

test('the times of rows have those of every span in them, and little more', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 50; round++) {
    const spans = spansOf(random, 40);
    const from = random.u32() % 40;
    const to = from + 1 + (random.u32() % (40 - from));
    const { minStart, maxEnd } = timesOf(buildSet(spans), { from, to });
    const own = spans.slice(from, to);
    const [first, last] = [own.map(({ start }) => start), own.map(({ end }) => end)].map((times) =>
      times.sort((a, b) => (a < b ? -1 : 1)),
    ) as [bigint[], bigint[]];
    expect((first[0] as bigint) - minStart).toBeGreaterThanOrEqual(0n);
    expect((first[0] as bigint) - minStart).toBeLessThan(1n << 32n);
    expect(maxEnd - (last.at(-1) as bigint)).toBeGreaterThanOrEqual(0n);
    expect(maxEnd - (last.at(-1) as bigint)).toBeLessThan(1n << 32n);
  }
});

test('a query gets the chunks of its time, with those of clocks that are wrong, and nothing else is encoded', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const spans = spansOf(random, 150);
    const views: HeadView[] = [{ id: 'one', set: 1, view: buildSet(spans) }];
    const all = await chunksOver(random).chunks.chunksOf(views);
    expect([rowsOf(all.chunks), all.others]).toEqual([150, []]);

    const startUnixNano = NOW - BigInt(random.u32() % 600) * MINUTE;
    const time = { startUnixNano, endUnixNano: startUnixNano + 10n * MINUTE };
    const fresh = chunksOver(random);
    const found = await fresh.chunks.chunksOf(views, time);
    // Every span of the time, and every one whose time is impossible, is in a chunk that was sent.
    const sent = found.chunks.map(({ entry }) => [entry.minStart, entry.maxEnd] as const);
    for (const { start, end } of spans) {
      const isOfTime = start <= time.endUnixNano && end >= time.startUnixNano;
      const isWrong = start < NOW - 24n * 60n * MINUTE || end > NOW + 10n * MINUTE;
      if (isOfTime || isWrong) expect(sent.some(([min, max]) => min <= start && end <= max)).toBe(true);
    }
    expect(fresh.encoded()).toBeLessThanOrEqual(all.chunks.length);
    expect(fresh.encoded()).toBeGreaterThanOrEqual(found.chunks.length);

    // Afterwards the others are encoded once, and what was sent before is the same.
    const later = await fresh.chunks.chunksOf(views);
    expect(rowsOf(later.chunks)).toBe(150);
    expect(fresh.encoded()).toBe(all.chunks.length);
    const again = await fresh.chunks.chunksOf(views, time);
    expect([...again.chunks.map(({ entry }) => entry.id), ...again.others].sort()).toEqual(
      later.chunks.map(({ entry }) => entry.id).sort(),
    );
    expect(found.chunks.map(({ entry }) => entry.id)).toEqual(
      expect.arrayContaining(again.chunks.map(({ entry }) => entry.id)),
    );
  }
});

test('of ten hours of spans in order a query of ten minutes encodes what is of them', async () => {
  const random = seededRandom(3);
  const spans = Array.from({ length: 640 }, (_, i): TestSpan => {
    const start = NOW - 640n * MINUTE + BigInt(i) * MINUTE;
    return { traceId: bytesToHex(random.bytes(16)), spanId: bytesToHex(random.bytes(8)), start, end: start + 5n };
  });
  const { chunks, encoded } = chunksOver(random);
  const views: HeadView[] = [{ id: 'one', set: 1, view: buildSet(spans) }];
  const time = { startUnixNano: NOW - 330n * MINUTE, endUnixNano: NOW - 321n * MINUTE };
  expect(rowsOf((await chunks.chunksOf(views, time)).chunks)).toBe(32);
  expect(encoded()).toBe(1);
  expect((await chunks.chunksOf(views, { startUnixNano: 0n, endUnixNano: MINUTE })).chunks).toEqual([]);
});

test('rows are asked for when they overlap, and by every query where their time is impossible', () => {
  const range = { startUnixNano: NOW - 30n * MINUTE, endUnixNano: NOW - 20n * MINUTE };
  const ask = (from: bigint, to: bigint) =>
    isAsked({ minStart: NOW + from * MINUTE, maxEnd: NOW + to * MINUTE }, range, NOW_MS);
  expect([ask(-40n, -31n), ask(-40n, -30n), ask(-20n, -1n), ask(-19n, 0n)]).toEqual([false, true, true, false]);
  expect([ask(-60n * 25n, -31n), ask(-19n, 11n)]).toEqual([true, true]);
  expect(isAsked({ minStart: 0n, maxEnd: 0n }, undefined, NOW_MS)).toBe(true);
});
