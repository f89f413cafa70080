import { ByteReader } from '../byte-reader.ts';
import { type DecodedColumn, damaged, type EntryNumbers, readDictionary, valuesBody } from './chunk-reader.ts';
import { HybridCursor } from './hybrid-cursor.ts';
import type { LoadedChunk } from './whole-chunk.ts';

// Few rows of a column that is stored as dictionary codes: their codes are picked out of the pages, which are not decoded.

/**
 * Codes of some rows (ascending, of the row group) of a chunk that has a dictionary, at the same places of `codes`; -1 for
 * null.
 */
export function pickCodes(
  { schema, layout, group, cache }: LoadedChunk,
  rows: Int32Array,
  codes: Int32Array,
  numbers?: EntryNumbers,
): DecodedColumn {
  const dictionary = readDictionary(schema, layout, group, cache);
  numbers?.open(dictionary, dictionary.count);
  const { pageRows, pages, zstd } = layout;
  codes.fill(-1, 0, rows.length);
  for (let at = 0; at < rows.length; ) {
    const number = Math.floor((rows[at] as number) / pageRows);
    let end = at + 1;
    while (end < rows.length && (rows[end] as number) < (number + 1) * pageRows) end++;
    const page = pages[number];
    if (page === undefined) throw damaged(schema);
    if (page.values > 0) {
      const input = new ByteReader(valuesBody(group, page, zstd, cache));
      let levels: HybridCursor | undefined;
      if (schema.optional) {
        const length = input.u32();
        const start = input.skip(length);
        levels = new HybridCursor(input.bytes, start, start + length, 1);
      }
      const width = input.u8();
      const values = new HybridCursor(input.bytes, input.at, input.end, width);
      for (let i = at; i < end; i++) {
        const row = (rows[i] as number) - number * pageRows;
        if (levels !== undefined && levels.value(row) === 0) continue;
        const index = levels === undefined ? row : levels.ones;
        if (index >= page.values) throw damaged(schema);
        const code = values.value(index);
        if (code >= dictionary.count) throw damaged(schema);
        codes[i] = code;
      }
    }
    at = end;
  }
  if (numbers !== undefined) {
    for (let i = 0; i < rows.length; i++) if ((codes[i] as number) >= 0) numbers.renumber(codes, i, i + 1);
  }
  return { codes, entries: dictionary, entryCount: dictionary.count, dictionary: true };
}
