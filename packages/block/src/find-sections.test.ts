import { isKind, utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeBlock } from './encode-block.ts';
import { type FoundBlock, findSections } from './find-sections.ts';
import { arbitrarySpan, blockOrder, buildSet, storeBlock, type TestSpan } from './testing.ts';

const sizes = (objects: ReadonlyMap<string, Uint8Array>) =>
  new Map([...objects].map(([name, bytes]) => [name, bytes.length]));

const span: TestSpan = {
  traceId: '1'.repeat(32),
  spanId: '2'.repeat(16),
  start: 5n,
  end: 9n,
  // The magic of an index, where an index may be looked for.
  attributes: [['VIVX', 'VIVX'.repeat(100)]],
  resource: utf8Encode('\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04VIVX'),
};

test('the sections of a block are found in its objects, however it was laid out', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitrarySpan, { minLength: 1, maxLength: 30 }),
      fc.constantFrom(0, undefined),
      async (spans, singleObjectMaxBytes) => {
        const set = buildSet([...spans, span]);
        const block = encodeBlock(set, blockOrder(set), { rowGroupRows: 7 });
        const { place, objects, readRange } = storeBlock(block, singleObjectMaxBytes);
        const { rows, traces, minStart, maxEnd, filterBytes } = block;
        const expected = { sections: place.sections, rows, traces, minStart, maxEnd, filterBytes };
        expect(await findSections(sizes(objects), readRange)).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});

test('a block that is not all there is not found', async () => {
  const set = buildSet([span]);
  const { objects, readRange } = storeBlock(encodeBlock(set, blockOrder(set)), 0);
  for (const name of objects.keys()) {
    const without = sizes(objects);
    without.delete(name);
    expect(await findSections(without, readRange)).toBeUndefined();
    if (name === 'index' || name === 'filter') continue;
    const shorter = sizes(objects);
    shorter.set(name, (shorter.get(name) as number) - 1);
    expect(await findSections(shorter, readRange)).toBeUndefined();
  }
});

test('a damaged index is an error, and a single object without one is not a block', async () => {
  const set = buildSet([span]);
  const { objects } = storeBlock(encodeBlock(set, blockOrder(set)));
  const whole = objects.get('block') as Uint8Array;
  const readOf = (bytes: Uint8Array) => async (_: string, offset: number, length: number) =>
    bytes.slice(offset, offset + length);
  const cut = whole.slice(0, -1);
  expect(await findSections(new Map([['block', cut.length]]), readOf(cut))).toBeUndefined();
  const sizesOf = new Map([['block', whole.length]]);
  const { sections } = (await findSections(sizesOf, readOf(whole))) as FoundBlock;
  const { index } = sections;
  const damaged = whole.slice();
  damaged[index.offset + 60] = (damaged[index.offset + 60] as number) ^ 1;
  const failure = await findSections(sizesOf, readOf(damaged)).catch((error: unknown) => error);
  expect(isKind(failure, 'data')).toBe(true);
});
