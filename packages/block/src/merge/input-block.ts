import { dataError, freeMemory, isKind, VivaceError } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import {
  type BlockIndex,
  groupChunks,
  type TableColumnLayout,
  type TableGroup,
  type TraceGroup,
} from '../block-index.ts';
import type { ByteCache } from '../byte-cache.ts';
import { ByteReader } from '../byte-reader.ts';
import { createBlockCache } from '../cache.ts';
import type { SectionName } from '../layout.ts';
import { openBlock } from '../open-block.ts';
import { type ChunkCache, type DecodedDictionary, type GroupBytes, readDictionary } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { planEvents } from '../plan-trace.ts';
import type { Owners } from '../read-rows.ts';
import { decodeTraceList } from '../trace-list.ts';
import type { AttributeSummary } from '../value-summary.ts';
import type { MergeInput } from './merge-options.ts';
import { type PageRange, planPages } from './plan-pages.ts';
import type { RoomPlace } from './read-room.ts';

/** Traces of one row group of spans. */
export interface GroupTraces {
  count: number;
  /** 16 bytes a trace, ascending. */
  ids: Uint8Array;
  /** Spans of each in the group. */
  spans: Int32Array;
  /** What a span takes on average before compression, without its events. */
  spanBytes: number;
}

export const MERGED_TABLES = ['spans', 'events'] as const;
export type MergedTable = (typeof MERGED_TABLES)[number];

/** Columns of a row group, of which at least some rows are in memory. */
export interface LoadedGroup {
  columns: readonly TableColumnLayout[];
  /** None where the group has no rows. */
  chunks: readonly ChunkLayout[];
  bytes: GroupBytes;
  /** Keeps dictionaries, which one row group of the output needs after the other. */
  cache: ChunkCache;
  /** The input lets go of it; else whoever loaded it does. */
  kept: boolean;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** For what is read once. */
export const NO_CACHE: ChunkCache = {
  dictionary: () => undefined,
  putDictionary: () => {},
  page: () => undefined,
  reservePage: () => undefined,
  forgetPage: () => {},
};

/** How often an attribute is in a block, as its summary says. */
export type AttributeTotal = Pick<AttributeSummary, 'scope' | 'key' | 'type' | 'total'>;

/** Only while a block is opened. */
const OPENING_CACHE_BYTES = 1 << 28;

export interface OpenOptions {
  /** Of all inputs. */
  dictionaries: ByteCache;
  /** Of this input. */
  number: number;
  seed: number;
  signal: AbortSignal | undefined;
}

/** What an entry of the cache takes besides its bytes. */
const ENTRY_BYTES = 300;

function keepDictionaries(dictionaries: ByteCache, prefix: string): ChunkCache {
  return {
    ...NO_CACHE,
    dictionary: (offset) => dictionaries.get(prefix + offset) as DecodedDictionary | undefined,
    putDictionary: (offset, { bytes, offsets, ...rest }) => {
      // What was read is freed; entries between offsets were taken out of it.
      const own = offsets === undefined ? bytes.slice() : bytes;
      const size = own.length + (offsets?.byteLength ?? 0) + ENTRY_BYTES;
      dictionaries.put(prefix + offset, { bytes: own, offsets, ...rest }, size);
    },
  };
}

/** Gives back the memory of a dictionary that is kept no more. One that is being used was used last, and is kept. */
export function freeDictionary(dictionary: object): void {
  const { bytes, offsets } = dictionary as DecodedDictionary;
  freeMemory(bytes);
  if (offsets !== undefined) freeMemory(offsets);
}

/** A block being merged, of which the rows that the merge is at are in memory. */
export class InputBlock {
  readonly id: string;
  readonly index: BlockIndex;
  readonly totals: readonly AttributeTotal[];
  readonly owners: Owners;
  /** Row groups are read as wholes, and kept until the merge has passed them; else only pages that are needed. */
  wholeGroups = true;
  /** Where they are kept, one of each table; others have memory of their own. */
  rooms: Partial<Record<MergedTable, RoomPlace>> = {};
  readonly #input: MergeInput;
  readonly #dictionaries: ByteCache;
  /** Among the inputs. */
  readonly #number: number;
  readonly #signal: AbortSignal | undefined;
  readonly #columns: Record<MergedTable, Map<string, number>>;
  readonly #loaded: Record<MergedTable, Map<number, LoadedGroup>> = { spans: new Map(), events: new Map() };
  /** Row of a row group that the merge is at. */
  #next = { group: 0, row: 0 };

  private constructor(
    input: MergeInput,
    read: { index: BlockIndex; totals: readonly AttributeTotal[]; owners: Owners },
    { dictionaries, number, signal }: OpenOptions,
  ) {
    this.#dictionaries = dictionaries;
    this.#number = number;
    this.id = input.place.id;
    this.#input = input;
    this.#signal = signal;
    this.index = read.index;
    this.totals = read.totals;
    this.owners = read.owners;
    this.#columns = { spans: columnNumbers(read.index.spans), events: columnNumbers(read.index.events) };
  }

  static async open(input: MergeInput, open: OpenOptions): Promise<InputBlock> {
    const { seed, signal } = open;
    const cache = createBlockCache({ maxBytes: OPENING_CACHE_BYTES });
    const reader = openBlock({ ...input, cache, seed });
    const options = signal === undefined ? {} : { signal };
    const { id } = input.place;
    const index = await blaming(id, 'index', () => reader.index(options));
    const { attributes } = await blaming(id, 'index', () => reader.readSummary(options));
    const owners = await blaming(id, 'resources', () => reader.readOwners(options));
    const totals = attributes.map(({ scope, key, type, total }) => ({ scope, key, type, total }));
    // Of many blocks, the trace lists together would be large: they are read again piece by piece.
    return new InputBlock(input, { index: { ...index, bytes: new Uint8Array(0) }, totals, owners }, open);
  }

  get filterBytes(): number {
    return this.#input.place.sections.filter.length;
  }

  /** The most that a row group takes. */
  largestGroupBytes(table: MergedTable): number {
    return this.index[table].groups.reduce((largest, { length }) => Math.max(largest, length), 0);
  }

  /** Number of a column of a table, by `columnId`; -1 where there is none. */
  column(table: MergedTable, id: string): number {
    return this.#columns[table].get(id) ?? -1;
  }

  /** The traces of a row group of spans. */
  async traces(group: number): Promise<GroupTraces> {
    const number = this.column('spans', 'trace_id');
    // The ids are the dictionary; no row is needed.
    const { chunks, bytes } = await this.load('spans', group, { from: 0, to: 0, columns: [number] });
    const traceGroup = this.index.traceGroups[group] as TraceGroup;
    const { offset, length } = traceGroup.list;
    const piece = await this.#read('index', offset, length);
    return blaming(this.id, 'index', async () => {
      const list = decodeTraceList(piece, traceGroup);
      const { schema } = this.index.spans.columns[number] as TableColumnLayout;
      const dictionary = readDictionary(schema, chunks[number] as ChunkLayout, bytes, NO_CACHE);
      if (dictionary.count !== list.count) throw wrongTraces();
      const counts = new ByteReader(list.counts);
      const spans = new Int32Array(list.count);
      let rows = 0;
      for (let trace = 0; trace < list.count; trace++) {
        const count = counts.varint();
        if (count === 0) throw wrongTraces();
        spans[trace] = count;
        rows += count;
      }
      if (rows !== (this.index.spans.groups[group] as TableGroup).rows) throw wrongTraces();
      const ids = dictionary.bytes.slice(0, 16 * dictionary.count);
      const spanBytes = rawBytes(chunks) / rows;
      if (!this.wholeGroups) freeGroup({ bytes });
      freeMemory(piece);
      return { count: list.count, ids, spans, spanBytes };
    });
  }

  /**
   * Rows of a row group, from memory or read.
   *
   * @param keep False: it is not wanted again soon, and has only pages that are needed.
   */
  async load(table: MergedTable, group: number, range: PageRange, keep = true): Promise<LoadedGroup> {
    const loaded = this.#loaded[table];
    const known = loaded.get(group);
    if (known !== undefined) return known;
    const layout = this.index[table];
    const { offset, length } = layout.groups[group] as TableGroup;
    const chunks = await blaming(this.id, 'index', async () => (length === 0 ? [] : groupChunks(layout, group)));
    const columns = layout.columns;
    const verified = new Set<number>();
    const cache = keepDictionaries(this.#dictionaries, `${this.#number}/${table}/${group}/`);
    if (this.wholeGroups) {
      this.#leaveGroups(table, group);
      const read = length === 0 ? NOTHING : await this.#read(table, offset, length);
      const bytes = keep ? this.#keep(table, read) : read;
      const made = { columns, chunks, bytes: { bytes, base: 0, verified }, cache, kept: keep };
      if (keep) loaded.set(group, made);
      else cutToPages(made, range);
      return made;
    }
    const more: { bytes: Uint8Array; base: number }[] = [];
    for (const { from, to } of planPages(chunks, range)) {
      more.push({ bytes: await this.#read(table, offset + from, to - from), base: from });
    }
    return { columns, chunks, bytes: { bytes: NOTHING, base: 0, verified, more }, cache, kept: false };
  }

  /** Lets go of row groups before this one, of which rows before `row` are not wanted again, either. */
  release(group: number, row = 0): void {
    this.#next = { group, row };
    for (const loaded of [this.#loaded.spans, this.#loaded.events]) {
      for (const [number, { bytes }] of loaded) {
        if (number >= group) continue;
        freeGroup({ bytes });
        loaded.delete(number);
      }
    }
  }

  /** Puts what was read into the room, where no other row group is in it. */
  #keep(table: MergedTable, read: Uint8Array): Uint8Array {
    const room = this.rooms[table];
    if (room === undefined || read.length === 0) return read;
    for (const { bytes } of this.#loaded[table].values()) if (room.holds(bytes.bytes)) return read;
    const kept = room.put(read);
    if (kept !== read) freeMemory(read);
    return kept;
  }

  /** Of the row group that the merge is about to leave for another, only the pages of the rows that are left stay. */
  #leaveGroups(table: MergedTable, group: number): void {
    const { group: left, row: from } = this.#next;
    const loaded = this.#loaded[table].get(left);
    if (left >= group || from === 0 || loaded === undefined || loaded.bytes.more !== undefined) return;
    const to = (this.index.spans.groups[left] as TableGroup).rows;
    const range = table === 'spans' ? { from, to } : planEvents(this.index, { group: left, from, to });
    if (loaded.chunks.length > 0) cutToPages(loaded, range);
  }

  async #read(section: SectionName, offset: number, length: number): Promise<Uint8Array> {
    const { object, offset: start, length: sectionLength } = this.#input.place.sections[section];
    return blaming(this.id, section, async () => {
      if (offset + length > sectionLength) throw dataError('block-truncated', 'the section ends early');
      this.#signal?.throwIfAborted();
      const bytes = await this.#input.readRange(object, start + offset, length, this.#signal);
      if (bytes.length !== length) {
        throw dataError('block-truncated', `a read of ${length} bytes gave ${bytes.length}`);
      }
      return bytes;
    });
  }
}

function rawBytes(chunks: readonly ChunkLayout[]): number {
  let bytes = 0;
  for (const { dictionary, pages } of chunks) {
    bytes += dictionary?.rawBytes ?? 0;
    for (const page of pages) bytes += page.rawBytes;
  }
  return bytes;
}

/** Gives memory that was read back at once. Nothing may refer to it any more. */
export function freeGroup({ bytes: { bytes, more = [] } }: Pick<LoadedGroup, 'bytes'>): void {
  for (const part of [bytes, ...more.map((piece) => piece.bytes)]) freeMemory(part);
}

/** Keeps only the pages of some rows of a row group that was read as a whole. */
function cutToPages(group: LoadedGroup, range: PageRange): void {
  const { bytes, verified } = group.bytes;
  const more = planPages(group.chunks, range).map(({ from, to }) => ({ bytes: bytes.slice(from, to), base: from }));
  freeMemory(bytes);
  group.bytes = { bytes: NOTHING, base: 0, verified, more };
}

/** What tells columns apart; names in Parquet may be those of several attributes. */
export function columnId({ key, type }: TableAttribute): string {
  return `${type} ${key}`;
}

function columnNumbers({ columns }: BlockIndex['spans']): Map<string, number> {
  return new Map(
    columns.map(({ schema, attribute }, number) => [attribute ? columnId(attribute) : schema.name, number]),
  );
}

async function blaming<T>(id: string, section: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw damageOf(error, id, section);
  }
}

/** A `data` error that says of which block and section it is; any other error as it is. */
export function damageOf(error: unknown, id: string, section: string): unknown {
  if (!isKind(error, 'data')) return error;
  return new VivaceError('data', error.code, `${section} of block ${id}: ${error.message}`, { cause: error });
}

function wrongTraces(): Error {
  return dataError('block-index', 'the trace list of a block does not fit its row group');
}
