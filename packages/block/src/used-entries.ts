import { foldInSteps } from '@vivace/kernel';

/** Codes that replace those of the column set in the block: only what live rows use, by first appearance. */
export interface UsedEntries {
  /** Code in the column set → code in the block, -1 where the block does not use it. */
  codes: Int32Array;
  /** Code in the block → code in the column set. */
  used: Int32Array;
  /** Spans of each code in the block. */
  counts: Int32Array;
}

/** Which of `entries` codes the rows in `order` use. */
export function usedEntries(order: Int32Array, codes: Int32Array, entries: number): UsedEntries {
  const mapping = new Int32Array(entries).fill(-1);
  const used = new Int32Array(entries);
  const counts = new Int32Array(entries);
  const count = foldInSteps(order.length, 0, numberCodes, order, codes, mapping, used, counts);
  return { codes: mapping, used: used.slice(0, count), counts: counts.slice(0, count) };
}

/** Fills the three for some rows in `order`, and returns how many codes are used by now. */
function numberCodes(
  before: number,
  from: number,
  to: number,
  order: Int32Array,
  codes: Int32Array,
  mapping: Int32Array,
  used: Int32Array,
  counts: Int32Array,
): number {
  let count = before;
  for (let i = from; i < to; i++) {
    const code = codes[order[i] as number] as number;
    let mine = mapping[code] as number;
    if (mine < 0) {
      mine = count++;
      mapping[code] = mine;
      used[mine] = code;
    }
    counts[mine] = (counts[mine] as number) + 1;
  }
  return count;
}
