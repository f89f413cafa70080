import type { Source } from './source.ts';

/**
 * A 32-bit hash of `source[from, to)` that never changes: which version of a span stays depends on it, so processes of
 * different versions have to agree on it. Tables use `hashRange`, which may change. `kind` tells apart what is hashed.
 */
export function fieldHash({ view }: Source, from: number, to: number, kind: number): number {
  const factor = Math.imul(kind, 0x9e3779b1) | 1;
  const swapped = Math.imul(kind ^ 0x5bd1e995, 0x85ebca6b) | 1;
  let hash = kind ^ (to - from);
  for (let at = from; at < to; at += 4) {
    hash ^= wordAt(view, at, to);
    hash = Math.imul(hash, factor) ^ Math.imul((hash << 16) | (hash >>> 16), swapped);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

/** Four bytes, little-endian, with zeros for what lies beyond `to`. */
function wordAt(view: DataView, at: number, to: number): number {
  if (at + 4 <= to) return view.getInt32(at, true);
  let word = 0;
  for (let shift = 0; at < to; at++, shift += 8) word |= view.getUint8(at) << shift;
  return word;
}
