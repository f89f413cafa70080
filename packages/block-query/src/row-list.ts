/**
 * Rows of a batch, ascending. Undefined is every row: most conditions are asked of all, and few of what the first left.
 */
export type RowList = Int32Array | undefined;

let scratch = new Int32Array(1 << 16);

function scratchOf(length: number): Int32Array {
  if (scratch.length < length) scratch = new Int32Array(2 * length);
  return scratch;
}

/** The rows of `list` (of `rows` in all) whose code has a 1 in `table`, which is indexed by code + 1. */
export function pickCodes(codes: Int32Array, table: Uint8Array, list: RowList, rows: number): Int32Array {
  const picked = scratchOf(list?.length ?? rows);
  let count = 0;
  if (list === undefined) {
    for (let row = 0; row < rows; row++) {
      picked[count] = row;
      count += table[(codes[row] as number) + 1] as number;
    }
  } else {
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as number;
      picked[count] = row;
      count += table[(codes[row] as number) + 1] as number;
    }
  }
  return picked.slice(0, count);
}

/** The same of a column that has values of some rows only; rows without one are not picked. */
export function pickSparse(
  column: { rows: Int32Array; codes: Int32Array; count: number },
  table: Uint8Array,
  list: RowList,
): Int32Array {
  const { rows, codes, count: total } = column;
  const picked = scratchOf(total);
  let count = 0;
  if (list === undefined) {
    for (let i = 0; i < total; i++) {
      picked[count] = rows[i] as number;
      count += table[(codes[i] as number) + 1] as number;
    }
    return picked.slice(0, count);
  }
  let at = 0;
  for (let i = 0; i < total && at < list.length; i++) {
    const row = rows[i] as number;
    while (at < list.length && (list[at] as number) < row) at++;
    if (list[at] !== row) continue;
    picked[count] = row;
    count += table[(codes[i] as number) + 1] as number;
  }
  return picked.slice(0, count);
}

/** The rows whose byte has a 1 in `table`. */
export function pickBytes(bytes: Uint8Array, table: Uint8Array, list: RowList, rows: number): Int32Array {
  const picked = scratchOf(list?.length ?? rows);
  let count = 0;
  if (list === undefined) {
    for (let row = 0; row < rows; row++) {
      picked[count] = row;
      count += table[bytes[row] as number] as number;
    }
  } else {
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as number;
      picked[count] = row;
      count += table[bytes[row] as number] as number;
    }
  }
  return picked.slice(0, count);
}

/**
 * The rows whose 64-bit value, two halves each, is greater than a bound; or those for which it is not. Without a branch
 * a row, which would be mispredicted where the bound is in the midst of the values: the highest bit of an expression
 * is whether the subtraction borrows (Warren, "Hacker's Delight", section 2-13).
 */
export function pickGreater(
  halves: Uint32Array,
  low: number,
  high: number,
  greater: boolean,
  list: RowList,
  rows: number,
): Int32Array {
  const signed = new Int32Array(halves.buffer, halves.byteOffset, halves.length);
  const picked = scratchOf(list?.length ?? rows);
  const boundLow = low | 0;
  const boundHigh = high | 0;
  const flip = greater ? 0 : 1;
  const length = list?.length ?? rows;
  let count = 0;
  if (boundHigh === 0) {
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      const ownLow = signed[2 * row] as number;
      const ownHigh = signed[2 * row + 1] as number;
      const borrows = (~boundLow & ownLow) | (~(boundLow ^ ownLow) & (boundLow - ownLow));
      picked[count] = row;
      count += ((borrows | ownHigh | -ownHigh) >>> 31) ^ flip;
    }
  } else {
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      const ownLow = signed[2 * row] as number;
      const ownHigh = signed[2 * row + 1] as number;
      const borrowsLow = (~boundLow & ownLow) | (~(boundLow ^ ownLow) & (boundLow - ownLow));
      const difference = ownHigh ^ boundHigh;
      const borrowsHigh = (~boundHigh & ownHigh) | (~difference & (boundHigh - ownHigh));
      const same = ~(difference | -difference);
      picked[count] = row;
      count += ((borrowsHigh | (same & borrowsLow)) >>> 31) ^ flip;
    }
  }
  return picked.slice(0, count);
}

/** The rows for which a test holds. */
export function pickRows(list: RowList, rows: number, test: (row: number) => boolean): Int32Array {
  const length = list?.length ?? rows;
  const picked: number[] = [];
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if (test(row)) picked.push(row);
  }
  return Int32Array.from(picked);
}

/** Rows that are in either. */
export function union(left: Int32Array, right: Int32Array): Int32Array {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const rows = scratchOf(left.length + right.length);
  let count = 0;
  let i = 0;
  let k = 0;
  while (i < left.length && k < right.length) {
    const a = left[i] as number;
    const b = right[k] as number;
    rows[count++] = a < b ? a : b;
    if (a <= b) i++;
    if (b <= a) k++;
  }
  while (i < left.length) rows[count++] = left[i++] as number;
  while (k < right.length) rows[count++] = right[k++] as number;
  return rows.slice(0, count);
}

/** Rows of `list` that are not in `taken`, which is part of it. */
export function without(list: RowList, taken: Int32Array, rows: number): Int32Array {
  const length = list?.length ?? rows;
  const left = scratchOf(length);
  let count = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if (taken[at] === row) at++;
    else left[count++] = row;
  }
  return left.slice(0, count);
}

/** One byte a row, 1 where it is in the list. */
export function maskOf(list: RowList, rows: number): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(rows);
  if (list === undefined) return mask.fill(1);
  for (let i = 0; i < list.length; i++) mask[list[i] as number] = 1;
  return mask;
}

export function everyRow(rows: number): Int32Array {
  const all = new Int32Array(rows);
  for (let row = 0; row < rows; row++) all[row] = row;
  return all;
}
