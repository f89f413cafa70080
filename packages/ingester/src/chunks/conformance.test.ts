import { createBlockCache, openBlock } from '@vivace/block';
import { blockSource, headSource, metrics, type Source, search, tagValues } from '@vivace/block-query';
import { BASE_UNIX_NANO, randomMetricsQuery, randomQuery, randomTraces } from '@vivace/block-query/testing';
import { type EncodedSpans, encodeSpans, mergeTrace } from '@vivace/columns';
import { type Random, seededRandom } from '@vivace/kernel';
import { decodeTraces, spanTexts } from '@vivace/otlp/testing';
import { parseField } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { Heads } from '../heads.ts';
import type { ChunkEncoder } from './chunk-encoder.ts';
import { encodeChunk } from './encode-chunk.ts';
import { type Chunk, HeadChunks } from './head-chunks.ts';

/*
 * What queriers in other processes see of heads, the chunks, gives the answers that the heads themselves give: by id,
 * for searches and for metrics, while rows are appended and generations are sealed.
 */

const SEEDS = Number(process.env['VIVACE_CHUNK_SEEDS'] ?? 40);
const SECOND = 1_000_000_000n;
const RANGE = { startUnixNano: BASE_UNIX_NANO - 60n * SECOND, endUnixNano: BASE_UNIX_NANO + 180n * SECOND };
const OPTIONS = { signal: new AbortController().signal, breathe: async () => undefined };

/** Encodes at once, and knows which rows it was given. */
function countedEncoder(): ChunkEncoder & { encoded: number } {
  const encoder = {
    encoded: 0,
    encode: async (...[view, ranges]: Parameters<ChunkEncoder['encode']>) => {
      encoder.encoded += ranges.length;
      return ranges.map((range) => encodeChunk(view, range, 7));
    },
    stop: async () => undefined,
  };
  return encoder;
}

function openChunk({ entry, bytes }: Chunk) {
  return openBlock({
    place: entry,
    readRange: async (_, offset, length) => bytes.slice(offset, offset + length),
    cache: createBlockCache({ maxBytes: 1 << 22 }),
  });
}

async function answers(sources: readonly Source[], random: Random): Promise<unknown[]> {
  const found: unknown[] = [];
  const tell = async (asked: () => Promise<object>): Promise<void> => {
    try {
      const { inspectedSpans: _, inspectedTraces: __, ...answer } = (await asked()) as Record<string, unknown>;
      found.push(answer);
    } catch (error) {
      found.push((error as Error).message);
    }
  };
  for (let i = 0; i < 3; i++) {
    const query = randomQuery(random);
    await tell(() =>
      search(sources, { query, ...RANGE, limit: 1000, spansPerSpanset: 0, after: undefined }, OPTIONS, undefined),
    );
    const asked = { query: randomMetricsQuery(random), ...RANGE, stepNanos: 60n * SECOND, exemplars: 0, maxSeries: 0 };
    await tell(() => metrics(sources, asked, OPTIONS));
  }
  return found;
}

test(`chunks of heads answer as the heads do: ${SEEDS} seeds`, { timeout: 300_000 }, async () => {
  let compared = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = seededRandom(seed);
    const heads = new Heads({ limits: { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 }, maxColumns: 4, seed });
    const encoder = countedEncoder();
    const clock = { nowMs: () => 1_700_000_000_000 };
    const chunks = new HeadChunks({ encoder, clock, random, maxBytes: 1 << 26, sizes: [32, 8, 2] });
    for (const request of [...randomTraces(random), ...randomTraces(random)]) {
      heads.push('a', request);
      if (random.u32() % 4 === 0) heads.seal('a');
      const views = heads.views(['a']);
      const { chunks: found } = await chunks.chunksOf(views);
      const readers = found.map(openChunk);

      const ids = new Set(views.flatMap(({ view }) => traceIdsOf(view.traceIds, view.traceCount)));
      for (const hex of ids) {
        const id = new Uint8Array(Buffer.from(hex, 'hex'));
        const parts: EncodedSpans[] = [];
        for (const reader of readers) {
          const view = await reader.readTrace(id);
          if (view !== undefined)
            parts.push(
              encodeSpans(
                view,
                Int32Array.from({ length: view.spanCount }, (_, i) => i),
              ),
            );
        }
        const local = mergeTrace(heads.trace(['a'], id), { maxBytes: 1 << 24 });
        const remote = mergeTrace(parts, { maxBytes: 1 << 24 });
        expect(spanTexts(decodeTraces(remote.bytes)), `seed ${seed}, trace ${hex}`).toEqual(
          spanTexts(decodeTraces(local.bytes)),
        );
      }

      const asked = random.u32();
      const local = await answers(
        views.map(({ id, view }) => headSource(id, view)),
        seededRandom(asked),
      );
      const remote = await answers(
        readers.map((reader) => blockSource(reader)),
        seededRandom(asked),
      );
      for (const [i, answer] of remote.entries()) {
        // Such a query is refused when a trace is come upon that it has no answer for: filters keep some from being so.
        if ([answer, local[i]].some((one) => typeof one === 'string' && one.includes('not supported'))) continue;
        expect(answer, `seed ${seed}, answer ${i}`).toEqual(local[i]);
        compared++;
      }
      // As in blocks, values of a span that was sent again stay until a merge.
      const values = { field: parseField('.a'), filter: undefined, limit: 0 };
      const listed = await tagValues(
        readers.map((reader) => blockSource(reader)),
        values,
        OPTIONS,
      );
      const heldNow = await tagValues(
        views.map(({ id, view }) => headSource(id, view)),
        values,
        OPTIONS,
      );
      expect(listed.values).toEqual(expect.arrayContaining(heldNow.values));
      expect((await chunks.chunksOf(heads.views(['a']))).chunks.map(({ entry }) => entry.id)).toEqual(
        found.map(({ entry }) => entry.id),
      );
    }
    // Each range once: of 2, 8 and 32 rows and of a tail at each of the few moments.
    const rows = heads.views(['a']).reduce((sum, { view }) => sum + view.spanCount, 0);
    expect(encoder.encoded).toBeLessThan(rows + 40);
  }
  expect(compared).toBeGreaterThan(4 * SEEDS);
});

function traceIdsOf(ids: Uint8Array, count: number): string[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(ids.subarray(16 * i, 16 * i + 16)).toString('hex'));
}
