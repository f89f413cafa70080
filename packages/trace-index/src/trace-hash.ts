/**
 * The hash of a trace id, of which the index keeps nothing else: 32 bits (FORMAT.md, "Hash"; it never changes). Two of
 * twenty million traces of a segment share one in half a percent of all lookups, which then ask one filter too many.
 */
export function traceHash(traceId: Uint8Array): number {
  for (let i = 0; i < 8; i++) if (traceId[i] !== 0) return keyHash(traceId, 0);
  return keyHash(traceId, 8);
}

/** The same of the eight bytes at `at` by which a block lists a trace. */
export function keyHash(bytes: Uint8Array, at: number): number {
  let hash = SEED;
  for (let word = at; word < at + 8; word += 4) {
    let k =
      (bytes[word] as number) |
      ((bytes[word + 1] as number) << 8) |
      ((bytes[word + 2] as number) << 16) |
      ((bytes[word + 3] as number) << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= 8;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const SEED = 0x76697674;
