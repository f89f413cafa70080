import type { BlockEntry } from '@vivace/manifest';

/** No block has the ordinal any more. */
export const GONE = -1;

/**
 * For each ordinal from `first` to `end - 1` the one to write instead, counted from `first`: the smallest that its
 * block has there, or itself where several blocks have it.
 */
export function currentOrdinals(live: readonly BlockEntry[], first: number, end: number): Int32Array {
  const current = new Int32Array(end - first).fill(GONE);
  for (const { ordinals = [] } of live) {
    let smallest = GONE;
    for (const range of ordinals) {
      for (let at = Math.max(range.first, first) - first; at < Math.min(range.end, end) - first; at++) {
        if (smallest === GONE) smallest = at;
        current[at] = current[at] === GONE ? smallest : at;
      }
    }
  }
  return current;
}
