import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inflateInto } from './inflater.ts';

const raw = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) & 63);
const frame = zstdCompressSync(raw);

function inflated(bytes: Uint8Array, length = raw.length): Uint8Array | undefined {
  const room = new Uint8Array(length + 1);
  return inflateInto(bytes, room) ? room.subarray(0, length) : undefined;
}

test('a frame fills exactly its length', () => {
  expect(inflated(frame)).toEqual(raw);
  expect(inflated(zstdCompressSync(new Uint8Array(0)), 0)).toEqual(new Uint8Array(0));
});

test('a frame of another length, cut, doubled or followed by anything is refused, and the next frame is none the worse', () => {
  const bad: [Uint8Array, number][] = [
    [frame, raw.length - 1],
    [frame, raw.length + 1],
    [frame.subarray(0, frame.length - 1), raw.length],
    [frame.subarray(0, 3), raw.length],
    [new Uint8Array(0), raw.length],
    [Buffer.concat([frame, frame]), raw.length],
    [Buffer.concat([frame, new Uint8Array(1)]), raw.length],
    [Buffer.concat([new Uint8Array(4), frame]), raw.length],
  ];
  for (const [bytes, length] of bad) {
    expect(inflated(bytes, length)).toBeUndefined();
    expect(inflated(frame)).toEqual(raw);
  }
});

test('a flipped byte is refused or gives as many bytes, and the next frame is none the worse', () => {
  fc.assert(
    fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const damaged = Uint8Array.from(frame);
      damaged[at] = (damaged[at] as number) ^ bits;
      expect(inflated(damaged)?.length ?? raw.length).toBe(raw.length);
      expect(inflated(frame)).toEqual(raw);
    }),
  );
});
