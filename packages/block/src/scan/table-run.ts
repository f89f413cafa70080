import type { AttributeType, DictionaryView } from '@vivace/columns';
import { assert, dataError } from '@vivace/kernel';
import type { TableColumnLayout, TableGroup, TableLayout } from '../block-index.ts';
import { readDictionary } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import {
  type CodedRows,
  decodeCoded,
  decodeFixed,
  decodeHalves,
  decodeIntegers,
  isDense,
  type LoadedChunk,
} from '../parquet/whole-chunk.ts';
import type { CallOptions, ChunkStore } from './chunk-store.ts';
import type { GroupRun } from './group-run.ts';

interface Part {
  group: number;
  /** Position of the group's first row in the run. */
  base: number;
  rows: number;
  /** Of all columns, once somebody asked. */
  layouts?: readonly ChunkLayout[];
  /** Chunks that were fetched. */
  chunks: Map<number, LoadedChunk>;
}

/** The columns of one table over a run of row groups: fetched first, then decoded as wholes. */
export class TableRun {
  readonly rows: number;
  readonly #table: 'spans' | 'events';
  readonly #layout: TableLayout;
  readonly #store: ChunkStore;
  readonly #parts: Part[] = [];
  readonly #fetched = new Set<number>();

  constructor(table: 'spans' | 'events', layout: TableLayout, { first, end }: GroupRun, store: ChunkStore) {
    this.#table = table;
    this.#layout = layout;
    this.#store = store;
    let base = 0;
    for (let group = first; group < end; group++) {
      const { rows } = layout.groups[group] as TableGroup;
      if (rows > 0) this.#parts.push({ group, base, rows, chunks: new Map() });
      base += rows;
    }
    this.rows = base;
  }

  /** Number of a column that is no attribute. */
  number(name: string): number {
    return numbersOf(this.#layout).byName.get(name) ?? -1;
  }

  /** Numbers and types of the columns of a key that some row has a value of. */
  attributes(key: string): readonly { number: number; type: AttributeType }[] {
    return (numbersOf(this.#layout).byKey.get(key) ?? []).filter(({ number }) => this.hasValues(number));
  }

  hasValues(number: number): boolean {
    return this.#parts.some((part) => {
      part.layouts ??= this.#store.layouts(this.#table, this.#layout, part.group);
      return (part.layouts[number] as ChunkLayout).pages.length > 0;
    });
  }

  /** Fetches columns that have not been fetched. */
  async fetch(numbers: Iterable<number>, options: CallOptions): Promise<void> {
    const missing = [...new Set(numbers)].filter((number) => !this.#fetched.has(number)).sort((a, b) => a - b);
    if (missing.length === 0) return;
    await Promise.all(
      this.#parts.map(async ({ group, chunks }) => {
        const loaded = await this.#store.load(this.#table, this.#layout, group, missing, options);
        for (const [number, chunk] of loaded) chunks.set(number, chunk);
      }),
    );
    for (const number of missing) this.#fetched.add(number);
  }

  /** Lets go of the bytes of columns that have been decoded. */
  release(...numbers: number[]): void {
    for (const number of numbers) {
      this.#fetched.delete(number);
      for (const { chunks } of this.#parts) chunks.delete(number);
    }
  }

  /** 64-bit numbers as halves, 0 where the column is null. */
  halves(number: number): Uint32Array {
    const values = new Uint32Array(2 * this.rows);
    for (const { chunk, base } of this.#each(number)) decodeHalves(chunk, values, base);
    return values;
  }

  /** Values of an INT32 column, `absent` where it is null; such of `limit` and more, or below 0, are a `data` error. */
  integers(number: number, { absent = 0, limit }: { absent?: number; limit?: number } = {}): Int32Array {
    const values = new Int32Array(this.rows);
    if (absent !== 0) values.fill(absent);
    for (const { chunk, base } of this.#each(number)) {
      decodeIntegers(chunk, values, base, limit === undefined ? {} : { limit });
    }
    return values;
  }

  /** Values of `width` bytes, 0 where the column is null. */
  fixed(number: number, width: number): Uint8Array {
    const values = new Uint8Array(width * this.rows);
    for (const { chunk, base } of this.#each(number)) decodeFixed(chunk, width, values, base);
    return values;
  }

  /** The entries of a column's dictionary in the first group, each of one width. */
  dictionary(number: number): { bytes: Uint8Array; count: number } {
    for (const { chunk } of this.#each(number)) {
      return readDictionary(chunk.schema, chunk.layout, chunk.group, chunk.cache);
    }
    throw dataError('block-row', 'rows of a block lack what every row has');
  }

  coded(number: number): CodedRows {
    const parts: { decoded: CodedRows; base: number; rows: number }[] = [];
    for (const { chunk, base, rows } of this.#each(number)) parts.push({ decoded: decodeCoded(chunk), base, rows });
    const [only] = parts;
    if (only !== undefined && only.rows === this.rows) return only.decoded;
    return joinCoded(parts, this.rows);
  }

  /** The chunks of a column in the groups where it has values. */
  *#each(number: number): Generator<{ chunk: LoadedChunk; base: number; rows: number }> {
    assert(this.#fetched.has(number), `column ${this.#layout.columns[number]?.schema.name} was not fetched`);
    const { schema } = this.#layout.columns[number] as TableColumnLayout;
    for (const { chunks, base, rows } of this.#parts) {
      const chunk = chunks.get(number);
      if (chunk !== undefined) yield { chunk, base, rows };
      else if (!schema.optional) throw dataError('block-row', 'rows of a block lack what every row has');
    }
  }
}

/** Joins the parts of a column: dictionaries one after another. */
function joinCoded(parts: readonly { decoded: CodedRows; base: number }[], totalRows: number): CodedRows {
  let capacity = 0;
  let entries = 0;
  let bytes = 0;
  for (const { decoded } of parts) {
    const { count, offsets } = decoded.dictionary;
    capacity += decoded.count;
    entries += count;
    bytes += offsets[count] as number;
  }
  const dictionary: DictionaryView = {
    count: entries,
    bytes: new Uint8Array(bytes),
    offsets: new Uint32Array(entries + 1),
  };
  const rows = new Int32Array(capacity);
  const codes = new Int32Array(capacity);
  let count = 0;
  let firstCode = 0;
  let firstByte = 0;
  for (const { decoded, base } of parts) {
    for (let i = 0; i < decoded.count; i++) {
      const code = decoded.codes[i] as number;
      if (code < 0) continue;
      rows[count] = base + (decoded.rows === undefined ? i : (decoded.rows[i] as number));
      codes[count++] = firstCode + code;
    }
    const { count: added, bytes: source, offsets } = decoded.dictionary;
    const length = offsets[added] as number;
    dictionary.bytes.set(source.subarray(0, length), firstByte);
    for (let i = 1; i <= added; i++) dictionary.offsets[firstCode + i] = firstByte + (offsets[i] as number);
    firstCode += added;
    firstByte += length;
  }
  if (!isDense(count, totalRows)) return { rows, codes, count, dictionary };
  const all = new Int32Array(totalRows).fill(-1);
  for (let i = 0; i < count; i++) all[rows[i] as number] = codes[i] as number;
  return { rows: undefined, codes: all, count: totalRows, dictionary };
}

/** Where columns are in a table. */
interface ColumnNumbers {
  byName: ReadonlyMap<string, number>;
  byKey: ReadonlyMap<string, readonly { number: number; type: AttributeType }[]>;
}

/** Every batch of every query asks, and all batches of a block have one table. */
const known = new WeakMap<TableLayout, ColumnNumbers>();

function numbersOf(layout: TableLayout): ColumnNumbers {
  const before = known.get(layout);
  if (before !== undefined) return before;
  const byName = new Map<string, number>();
  const byKey = new Map<string, { number: number; type: AttributeType }[]>();
  for (const [number, { schema, attribute }] of layout.columns.entries()) {
    if (attribute === undefined) {
      if (!byName.has(schema.name)) byName.set(schema.name, number);
      continue;
    }
    const of = byKey.get(attribute.key);
    if (of === undefined) byKey.set(attribute.key, [{ number, type: attribute.type }]);
    else of.push({ number, type: attribute.type });
  }
  const numbers = { byName, byKey };
  known.set(layout, numbers);
  return numbers;
}
