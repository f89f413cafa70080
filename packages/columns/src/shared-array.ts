/**
 * Typed arrays on shared memory that grow by doubling. Growth makes a new buffer and leaves the old one to
 * whoever still reads it: readers hold a view and a count, and what they see never changes.
 */

/** Rows that a fresh array has room for; small, because a thousand tenants may have sixty columns each. */
export const INITIAL_ROWS = 16;

export function sharedInt32(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * 4));
}

export function sharedUint32(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(length * 4));
}

export function sharedUint8(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

export function grownInt32(array: Int32Array, length: number): Int32Array {
  const grown = sharedInt32(length);
  grown.set(array);
  return grown;
}

export function grownUint32(array: Uint32Array, length: number): Uint32Array {
  const grown = sharedUint32(length);
  grown.set(array);
  return grown;
}

export function grownUint8(array: Uint8Array, length: number): Uint8Array {
  const grown = sharedUint8(length);
  grown.set(array);
  return grown;
}

/** The next capacity that holds `needed` elements, at least double the present one. */
export function grownLength(present: number, needed: number): number {
  let length = present * 2;
  while (length < needed) length *= 2;
  return length;
}
