/**
 * `target.set(source, at)`, at the speed of memory whatever the two lie on. V8 copies to and from shared memory word by
 * word, and byte by byte where both do not begin at the same remainder of eight (8 and 3 GB/s), and Node's own copy calls
 * it for whole views; Node's fill does not (30 GB/s). The two must not overlap.
 */
export function copyBytes(target: Uint8Array, source: Uint8Array, at: number): void {
  const end = at + source.length;
  if (end > target.length) throw new RangeError('the bytes do not fit into the target');
  if (source.length > 0) Buffer.prototype.fill.call(target, source, at, end);
}

const ZEROS = new Uint8Array(16);

/** `bytes.fill(0)`, which V8 does byte by byte on shared memory (3 GB/s). */
export function clearBytes(bytes: Uint8Array): void {
  Buffer.prototype.fill.call(bytes, ZEROS);
}
