import { expect, test } from 'vitest';
import { createScratchCache } from './scratch-cache.ts';

const KB = 1024;

test('what was put is given back at the end, also what was dropped or never kept', () => {
  const cache = createScratchCache({ maxBytes: 64 * KB });
  const column = new Int32Array(8 * KB);
  const chunk = { bytes: new Uint8Array(20 * KB), base: 4 };
  const coded = {
    codes: new Int32Array(0),
    dictionary: { bytes: new Uint8Array(40 * KB), offsets: new Uint32Array(1) },
  };
  cache.put('column', column, column.byteLength);
  cache.put('chunk', chunk, chunk.bytes.byteLength);
  cache.put('coded', coded, 40 * KB);
  expect([cache.get('column'), cache.get('chunk'), cache.get('coded')]).toEqual([undefined, chunk, undefined]);
  cache.free();
  expect([column, chunk.bytes, coded.dictionary.bytes].map(({ byteLength }) => byteLength)).toEqual([0, 0, 0]);
});

test('what is small, and parts of what others hold, stay', () => {
  const cache = createScratchCache({ maxBytes: 64 * KB });
  const constant = new Uint32Array(1);
  const whole = new Uint8Array(100 * KB);
  cache.put('constant', { dictionary: { offsets: constant } }, 4);
  cache.put('part', { bytes: whole.subarray(KB) }, 99 * KB);
  cache.free();
  expect([constant.length, whole.length]).toEqual([1, 100 * KB]);
});

test('columns have zeroed places of their own in its room, which is given back too', () => {
  const cache = createScratchCache({ maxBytes: 64 * KB });
  const take = (length: number) => cache.room?.take(length) as Uint8Array;
  const places = [3, 16, 40 * 1024 * KB, 5, 30 * 1024 * KB, 7].map(take);
  expect(places.map(({ length }) => length)).toEqual([3, 16, 40 * 1024 * KB, 5, 30 * 1024 * KB, 7]);
  // Looking at all bytes would take seconds.
  const ends = (place: Uint8Array) => [place[0], place.at(-1), place[place.length >>> 1]];
  for (const [i, place] of places.entries()) {
    expect(place.byteOffset % 8).toBe(0);
    expect(ends(place)).toEqual([0, 0, 0]);
    place.subarray(0, 1 << 12).fill(i + 1);
    place.subarray(-Math.min(place.length, 1 << 12)).fill(i + 1);
    place[place.length >>> 1] = i + 1;
  }
  expect(places.map(ends)).toEqual([1, 2, 3, 4, 5, 6].map((value) => [value, value, value]));
  cache.free();
  expect(places.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0, 0]);
});
