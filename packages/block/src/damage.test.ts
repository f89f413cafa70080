import { hexToBytes, seededRandom, utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBlockCache } from './cache.ts';
import { encodeBlock } from './encode-block.ts';
import { openBlock } from './open-block.ts';
import { allRows, blockOrder, buildSet, plainSpans, storeBlock, type TestSpan } from './testing.ts';

// Any flipped byte and any cut gives a `data` error or, where the byte does not matter, the right answer.

const random = seededRandom(11);
const spans = Array.from(
  { length: 400 },
  (_, i): TestSpan => ({
    traceId: `${i % 50}`.padStart(32, '7'),
    spanId: `${i + 1}`.padStart(16, '0'),
    ...(i >= 50 && { parentId: `${(i % 50) + 1}`.padStart(16, '0') }),
    start: 1_760_000_000_000_000_000n + BigInt(random.u32()),
    end: i % 20 === 0 ? 5n : 1_760_000_010_000_000_000n + BigInt(random.u32()),
    name: `op ${i % 7}`,
    attributes: [
      ['text', `value ${i % 30}`],
      ['unique', `u${random.u32()}`],
      ['int', BigInt(i * i)],
      ['double', i / 3],
      ['bool', i % 3 === 0],
    ],
    ...(i % 9 === 0 && { overflow: Uint8Array.of(0x50, i % 100), statusMessage: 'failed' }),
    events:
      i % 4 === 0 ? [{ name: 'e', time: BigInt(i), attributes: [['k', `v${i}`]] }, { link: 'cd'.repeat(24) }] : [],
    scope: utf8Encode(`\x0a\x05\x0a\x03l${i % 10}b`),
  }),
);
const set = buildSet(spans);
const expected = plainSpans(set, blockOrder(set));
const store = storeBlock(encodeBlock(set, blockOrder(set), { rowGroupRows: 150, pageRows: 32 }));
const whole = store.objects.get('block') as Uint8Array;
const traceIds = [...new Set(expected.map(({ traceId }) => traceId))];

/** Looks every trace up; wrong answers fail, data errors are counted. */
async function lookUp(bytes: Uint8Array): Promise<number> {
  let errors = 0;
  const cache = createBlockCache({ maxBytes: 1 << 24 });
  const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
  const reader = openBlock({ place: store.place, readRange, cache });
  for (const traceId of traceIds) {
    try {
      const read = await reader.readTrace(hexToBytes(traceId));
      if (read === undefined) throw new Error(`trace ${traceId} was not found`);
      expect(plainSpans(read, allRows(read))).toEqual(expected.filter((span) => span.traceId === traceId));
    } catch (error) {
      if ((error as { kind?: string }).kind !== 'data') throw error;
      errors++;
    }
  }
  await reader.readSummary().catch((error: { kind?: string }) => {
    if (error.kind !== 'data') throw error;
    errors++;
  });
  return errors;
}

test('the undamaged block answers everything', async () => {
  expect(await lookUp(whole)).toBe(0);
});

test('a flipped byte is a data error or harmless', async () => {
  let noticed = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] as number) ^ flip;
      if ((await lookUp(damaged)) > 0) noticed++;
    }),
    { numRuns: 150 },
  );
  // The rest falls on page headers, on the footers and on the tables that a lookup does not read.
  expect(noticed).toBeGreaterThan(60);
});

test('every flipped byte of the index and of the filter is noticed', async () => {
  const { index, filter } = store.place.sections;
  await fc.assert(
    fc.asyncProperty(fc.nat(index.length - 1), fc.nat(filter.length - 1), async (inIndex, inFilter) => {
      for (const at of [index.offset + inIndex, filter.offset + inFilter]) {
        const damaged = whole.slice();
        damaged[at] = (damaged[at] as number) ^ 0x10;
        const errors = await lookUp(damaged);
        // A block of the filter that no trace falls into is not read.
        if (at >= index.offset) expect(errors).toBeGreaterThan(0);
      }
    }),
    { numRuns: 60 },
  );
});

test('a cut block is a data error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
      expect(await lookUp(whole.subarray(0, length))).toBeGreaterThan(0);
    }),
    { numRuns: 60 },
  );
});
