import { expect, test } from 'vitest';
import { equalRange, hashRange, sourceOf } from './source.ts';

/** Strings of eight-byte blocks, each in one of two forms whose difference the second word takes back. */
function variants(count: number, undoneBy: readonly number[]): Uint8Array[] {
  return Array.from({ length: count }, (_, number) => {
    const bytes = new Uint8Array(8 * 12).fill(0x41);
    for (let block = 0; block < 12; block++) {
      if (((number >> block) & 1) === 0) continue;
      bytes[block * 8 + 3]! ^= 0x80;
      undoneBy.forEach((bits, i) => {
        bytes[block * 8 + 4 + i]! ^= bits;
      });
    }
    return bytes;
  });
}

function distinctHashes(strings: readonly Uint8Array[], seed: number): number {
  return new Set(strings.map((bytes) => hashRange(sourceOf(bytes), 0, bytes.length, seed))).size;
}

test.each([1, 77, 0xdeadbeef, 0x7fffffff])('strings made to collide whatever the seed do not, seed %i', (seed) => {
  // What the top bit becomes after a multiplication by a known odd factor and a shift by 13, 15, 16 or 17.
  for (const undoneBy of [
    [0, 0, 4, 0x80],
    [0, 0, 1, 0x80],
    [0, 0x80, 0, 0x80],
    [0, 0x40, 0, 0x80],
    [0, 0, 0, 0x80],
  ]) {
    expect(distinctHashes(variants(4096, undoneBy), seed)).toBeGreaterThan(4000);
  }
});

test.each([1, 77, 0xdeadbeef])('strings that differ little spread over the slots of a table, seed %i', (seed) => {
  for (const make of [
    (i: number) => `order-${i}`,
    (i: number) => `${i}`.padStart(16, '0'),
    (i: number) => `${i}`.padEnd(16, '0'),
    (i: number) => `GET /api/products/${i * 64}`,
  ]) {
    const strings = Array.from({ length: 4096 }, (_, i) => new TextEncoder().encode(make(i)));
    const slots = new Set(strings.map((bytes) => hashRange(sourceOf(bytes), 0, bytes.length, seed) & 8191));
    // 4096 random numbers hit 3223 of 8192 slots on average.
    expect(slots.size).toBeGreaterThan(2900);
  }
});

test('ranges are equal where each byte is, wherever they begin, and equal ones have one hash', () => {
  for (let length = 0; length <= 17; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => 200 + i);
    const [left, right] = [1, 6].map((from) => {
      const around = new Uint8Array(length + 12).fill(from);
      around.set(bytes, from);
      return sourceOf(around);
    });
    if (left === undefined || right === undefined) throw new Error('two places');
    const equal = () => equalRange(left.view, 1, right.view, 6, length);
    const hashes = () => [hashRange(left, 1, 1 + length, 7), hashRange(right, 6, 6 + length, 7)];
    expect(equal()).toBe(true);
    expect(hashes()[0]).toBe(hashes()[1]);
    for (let i = 0; i < length; i++) {
      right.bytes[6 + i]! ^= 0x10;
      expect(equal()).toBe(false);
      expect(hashes()[0]).not.toBe(hashes()[1]);
      right.bytes[6 + i]! ^= 0x10;
    }
  }
});
