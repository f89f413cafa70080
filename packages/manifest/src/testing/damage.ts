import { concatBytes, crc32 } from '@vivace/kernel';
import { expect } from 'vitest';
import { TRAILER_BYTES } from '../layout.ts';

/** Every cut, every flipped bit and every byte too many of a file is damage. */
export function expectDamageNoticed(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
  for (let length = 0; length < bytes.length; length++) expectDamage(() => decode(bytes.subarray(0, length)));
  expectDamage(() => decode(concatBytes([bytes, new Uint8Array(1)])));
  const damaged = bytes.slice();
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    for (let bit = 1; bit < 256; bit *= 2) {
      damaged[at] = byte ^ bit;
      expectDamage(() => decode(damaged));
    }
    damaged[at] = byte;
  }
  decode(damaged);
}

export function expectDamage(read: () => unknown, message = ''): void {
  let caught: unknown;
  try {
    read();
  } catch (error) {
    caught = error;
  }
  // A bare comparison first: `expect` would take most of the time of a hundred thousand of them.
  const { kind, code, message: text } = (caught ?? {}) as { kind?: string; code?: string; message?: string };
  if (kind === 'data' && code === 'manifest-damaged' && text?.includes(message)) return;
  expect(caught).toMatchObject({ kind: 'data', code: 'manifest-damaged', message: expect.stringContaining(message) });
}

/** A copy with another byte at `at` and the checksum that fits it. */
export function forged(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return sealed(copy);
}

function sealed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - TRAILER_BYTES;
  view.setUint32(8, bytes.length, true);
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}
