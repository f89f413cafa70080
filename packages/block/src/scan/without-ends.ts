import { concatBytes } from '@vivace/kernel';
import type { CodedRows } from '../parquet/whole-chunk.ts';
import type { ExactEnd } from '../row-times.ts';

/** An overflow column after exact ends were taken out of it. Changes the codes and rows of the column given. */
export function withoutEnds(column: CodedRows, ends: readonly ExactEnd[]): CodedRows {
  if (ends.length === 0) return column;
  const { rows, codes, dictionary } = column;
  const rests = ends.map(({ rest }) => rest);
  const offsets = new Uint32Array(dictionary.count + rests.length + 1);
  offsets.set(dictionary.offsets.subarray(0, dictionary.count + 1));
  const kept = offsets[dictionary.count] as number;
  let last = kept;
  for (const [i, { at, rest }] of ends.entries()) {
    last += rest.length;
    offsets[dictionary.count + i + 1] = last;
    codes[at] = rest.length === 0 ? -1 : dictionary.count + i;
  }
  const bytes = concatBytes([dictionary.bytes.subarray(0, kept), ...rests]);
  const changed = { ...column, dictionary: { count: dictionary.count + rests.length, bytes, offsets } };
  if (rows === undefined) return changed;
  let count = 0;
  for (let i = 0; i < column.count; i++) {
    if ((codes[i] as number) < 0) continue;
    rows[count] = rows[i] as number;
    codes[count++] = codes[i] as number;
  }
  return { ...changed, count };
}
