import { crc32, dataError, isKind } from '@vivace/kernel';
import { groupChunks, type TableGroup, type TableLayout } from '../block-index.ts';
import { ByteReader } from '../byte-reader.ts';
import type { SectionName } from '../layout.ts';
import { type ChunkCache, type DecodedColumn, type DecodedDictionary, decodeChunk } from '../parquet/chunk-reader.ts';
import { decompress } from '../parquet/compression.ts';
import type { ChunkLayout, PageLayout } from '../parquet/directory.ts';
import { countLevels } from '../parquet/hybrid.ts';
import { type PageHeader, readPageHeader } from '../parquet/read-page-header.ts';
import { type ColumnSchema, PLAIN, type StoredChunk, type StoredPage } from '../parquet/types.ts';
import type { LoadedChunk } from '../parquet/whole-chunk.ts';
import type { Findings } from './findings.ts';

/** A row group that was read whole and in which every page is as it was written. */
export interface VerifiedGroup {
  chunks: LoadedChunk[];
  /** The same, as a writer has them. */
  stored: StoredChunk[];
  pages: number;
}

export interface GroupPlace {
  section: SectionName;
  table: TableLayout;
  group: number;
}

/**
 * Goes through the bytes of a row group from its first to its last: each page header says what the directory says,
 * each body has its checksum, each page has as many values as it should and inflates. Undefined where something is
 * wrong, which is then in the findings.
 */
export function verifyGroup(place: GroupPlace, bytes: Uint8Array, findings: Findings): VerifiedGroup | undefined {
  const { section, table, group } = place;
  const { offset } = table.groups[group] as TableGroup;
  const layouts = findings.check({ section: 'index', rowGroup: group }, () => groupChunks(table, group));
  if (layouts === undefined) return undefined;
  const cache = createDictionaryCache();
  const before = findings.list.length;
  const chunks: LoadedChunk[] = [];
  const stored: StoredChunk[] = [];
  let at = 0;
  let pages = 0;
  for (const [number, { schema }] of table.columns.entries()) {
    const layout = layouts[number] as ChunkLayout;
    const walker = new ChunkWalker(schema, layout, bytes, at);
    try {
      stored.push(walker.walk());
    } catch (error) {
      if (!isKind(error, 'data')) throw error;
      const { page, pageAt } = walker;
      findings.add({
        section,
        rowGroup: group,
        column: schema.name,
        page,
        offset: offset + pageAt,
        what: error.message,
      });
      // Without its lengths nobody knows where the next column begins.
      if (walker.lost) return undefined;
    }
    chunks.push({ schema, layout, group: { bytes, base: 0, verified: new Set() }, cache });
    pages += walker.pages;
    at = walker.end;
  }
  if (at !== bytes.length) {
    const what = `${bytes.length - at} bytes of the row group are in no column`;
    findings.add({ section, rowGroup: group, offset: offset + at, what });
  }
  if (findings.list.length > before) return undefined;
  for (const [number, { schema }] of table.columns.entries()) {
    const chunk = chunks[number] as LoadedChunk;
    if (schema.logical !== 'uint64' || chunk.layout.pages.length === 0) continue;
    const decoded = decodeColumn(place, chunk, findings);
    if (decoded === undefined) return undefined;
    stored[number] = { ...(stored[number] as StoredChunk), ...boundsOf(decoded) };
  }
  return { chunks, stored, pages };
}

/** Walks over the pages of one column chunk. */
class ChunkWalker {
  /** The page at which it is, -1 for the dictionary, and where that begins in the row group. */
  page = 0;
  pageAt: number;
  pages = 0;
  /** Where the chunk ends, as far as it is known. */
  end: number;
  /** The end could not be found. */
  lost = false;
  readonly #schema: ColumnSchema;
  readonly #layout: ChunkLayout;
  readonly #bytes: Uint8Array;
  /** Where the page ends. */
  #after = 0;

  constructor(schema: ColumnSchema, layout: ChunkLayout, bytes: Uint8Array, at: number) {
    this.#schema = schema;
    this.#layout = layout;
    this.#bytes = bytes;
    this.pageAt = at;
    const last = layout.pages.at(-1);
    this.end = last === undefined ? at : last.offset + last.bodyBytes;
  }

  walk(): StoredChunk {
    const { rows, zstd, encoding, pageRows, dictionary } = this.#layout;
    const from = this.pageAt;
    const found: StoredPage[] = [];
    let stored: StoredPage | undefined;
    if (dictionary !== undefined) {
      this.page = -1;
      stored = this.#dictionaryPage(dictionary);
    }
    let values = 0;
    // Of a column without a value there is one page, which the directory does not describe.
    const layouts: (PageLayout | undefined)[] = this.#layout.pages.length === 0 ? [undefined] : this.#layout.pages;
    for (const [number, layout] of layouts.entries()) {
      this.page = number;
      const page = this.#dataPage(layout, Math.min(pageRows, rows - number * pageRows));
      values += page.values;
      found.push(page);
    }
    this.end = this.pageAt;
    const bytes = this.#bytes.subarray(from, this.end);
    const chunk: StoredChunk = { bytes, rows, values, zstd, encoding, pageRows, dictionary: stored, pages: found };
    return chunk;
  }

  #dictionaryPage(layout: PageLayout): StoredPage {
    const { header, body } = this.#next(layout);
    if (!header.dictionary || header.rows !== layout.values || header.encoding !== PLAIN) {
      throw damaged('the header of the dictionary says something else than the index');
    }
    this.#done();
    return storedPage(header, body, layout.values);
  }

  #dataPage(layout: PageLayout | undefined, rows: number): StoredPage {
    const { encoding, zstd } = this.#layout;
    const { header, body } = this.#next(layout);
    if (header.dictionary || header.rows !== rows || header.encoding !== encoding) {
      throw damaged('the header of a page says something else than the index');
    }
    const values = layout?.values ?? 0;
    const raw = zstd ? decompress(body, header.rawBytes) : body;
    if (raw.length !== header.rawBytes)
      throw damaged('a page has another length before compression than its header says');
    if (this.#schema.optional) {
      const levels = new ByteReader(raw);
      const length = levels.u32();
      const from = levels.skip(length);
      const present = countLevels(raw, from, from + length, rows);
      if (present !== values) throw damaged(`a page has ${present} values, and the index says ${values}`);
    } else if (values !== rows) throw damaged(`a page of ${rows} rows has ${values} values`);
    this.#done();
    return storedPage(header, body, values);
  }

  /** The header at `pageAt` and the body after it, which have the lengths and the checksum that both places say. */
  #next(layout: PageLayout | undefined): { header: PageHeader; body: Uint8Array } {
    const header = readPageHeader(this.#bytes, this.pageAt);
    if (header === undefined) {
      this.lost = layout === undefined;
      throw damaged('the header of a page is damaged');
    }
    const from = this.pageAt + header.length;
    const body = this.#bytes.subarray(from, from + header.bodyBytes);
    if (layout !== undefined) {
      const differs =
        layout.offset !== from ||
        layout.bodyBytes !== header.bodyBytes ||
        (layout.values > 0 && (layout.rawBytes !== header.rawBytes || layout.crc !== header.crc));
      if (differs) throw damaged('the header of a page says something else than the index');
    }
    if (body.length !== header.bodyBytes) {
      this.lost = true;
      throw damaged('a page ends after its row group');
    }
    if (layout === undefined) this.end = from + body.length;
    if (crc32(body) !== header.crc) throw damaged('the checksum of a page does not match');
    this.#after = from + body.length;
    return { header, body };
  }

  #done(): void {
    this.pageAt = this.#after;
    this.pages++;
  }
}

function storedPage(header: PageHeader, body: Uint8Array, values: number): StoredPage {
  const { rawBytes, crc, length } = header;
  return { headerBytes: length, bodyBytes: body.length, rawBytes, crc, values };
}

/** Every row of a chunk; what does not decode is a finding of its page. */
export function decodeColumn(place: GroupPlace, chunk: LoadedChunk, findings: Findings): DecodedColumn | undefined {
  const { schema, layout, group, cache } = chunk;
  try {
    return decodeChunk(schema, layout, group, cache, 0, layout.rows);
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    const { section, table, group: rowGroup } = place;
    const { offset } = table.groups[rowGroup] as TableGroup;
    for (const [page, { offset: pageOffset }] of layout.pages.entries()) {
      const where = { section, rowGroup, column: schema.name, page, offset: offset + pageOffset };
      const from = page * layout.pageRows;
      const to = Math.min(layout.rows, from + layout.pageRows);
      findings.check(where, () => decodeChunk(schema, layout, group, cache, from, to));
    }
    return undefined;
  }
}

/** The smallest and largest value of a column of unsigned 64-bit values: the footer has them. */
function boundsOf({ entries, codes }: DecodedColumn): { min: bigint; max: bigint } {
  const view = new DataView(entries.bytes.buffer, entries.bytes.byteOffset, entries.bytes.byteLength);
  let min = 2n ** 64n - 1n;
  let max = 0n;
  for (const code of codes) {
    const value = view.getBigUint64(8 * code, true);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** Dictionaries of one row group, decoded once. Pages are not kept: each is decoded once. */
function createDictionaryCache(): ChunkCache {
  const dictionaries = new Map<number, DecodedDictionary>();
  return {
    dictionary: (offset) => dictionaries.get(offset),
    putDictionary: (offset, dictionary) => void dictionaries.set(offset, dictionary),
    page: () => undefined,
    reservePage: () => undefined,
    forgetPage: () => undefined,
  };
}

function damaged(what: string): Error {
  return dataError('block-verify', what);
}
