import { describe, expect, it } from 'vitest';
import { clearBytes, copyBytes } from './copy-bytes.ts';

const LENGTHS = [0, 1, 7, 8, 9, 100, 16_383, 16_384, 16_385, 50_001];
const MEMORIES = {
  own: (length: number) => new Uint8Array(length),
  shared: (length: number) => new Uint8Array(new SharedArrayBuffer(length)),
};

describe('copyBytes', () => {
  for (const [from, sourceOf] of Object.entries(MEMORIES)) {
    for (const [to, targetOf] of Object.entries(MEMORIES)) {
      it(`copies from ${from} to ${to} memory what set copies, wherever both begin`, () => {
        for (const length of LENGTHS) {
          for (const [skip, start, at] of [
            [0, 0, 0],
            [3, 0, 0],
            [0, 5, 1],
            [7, 2, 6],
            [1, 1, 8],
          ] as const) {
            const source = sourceOf(length + skip).subarray(skip);
            for (let i = 0; i < length; i++) source[i] = (i * 31 + (i >> 8)) & 255;
            const target = targetOf(start + length + 20)
              .subarray(start)
              .fill(255);
            copyBytes(target, source, at);
            expect(Buffer.from(target.slice(at, at + length)).equals(Buffer.from(source.slice()))).toBe(true);
            expect(target.slice(0, at).every((byte) => byte === 255)).toBe(true);
            expect(target.slice(at + length).every((byte) => byte === 255)).toBe(true);
          }
        }
      });
    }
  }

  it('refuses what does not fit before anything is copied', () => {
    const target = new Uint8Array(new SharedArrayBuffer(20_000));
    expect(() => copyBytes(target, new Uint8Array(19_999).fill(1), 3)).toThrow(RangeError);
    expect(target.every((byte) => byte === 0)).toBe(true);
  });
});

describe('clearBytes', () => {
  for (const [name, memoryOf] of Object.entries(MEMORIES)) {
    it(`makes all bytes of a view on ${name} memory zero, and none around it`, () => {
      for (const length of LENGTHS) {
        const around = memoryOf(length + 13).fill(255);
        clearBytes(around.subarray(5, 5 + length));
        const expected = [...around.keys()].map((at) => (at >= 5 && at < 5 + length ? 0 : 255));
        expect(Buffer.from(around.slice()).equals(Buffer.from(expected))).toBe(true);
      }
    });
  }
});
