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
import {
  type ChunkCache,
  type DecodedDictionary,
  type GroupBytes,
  partOf,
  readDictionary,
} from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { planEvents } from '../plan-trace.ts';
import type { Owners } from '../read-rows.ts';
import { decodeTraceList } from '../trace-list.ts';
import type { AttributeSummary } from '../value-summary.ts';
import type { MergeInput } from './merge-options.ts';
import { type PageRange, planPages } from './plan-pages.ts';
import type { RoomPlace } from './read-room.ts';
import { type WantedColumns, wantedNumbers } from './wanted-columns.ts';

/** Traces of one row group of spans. */
export interface GroupTraces {
  count: number;
  /** 16 bytes a trace, ascending. */
  ids: Uint8Array;
  /** Spans of each in the group. */
  spans: Int32Array;
  /** What a span takes on average before compression, without its events. */
  spanBytes: number;
  /** What a span takes on average of what is read, with its events. */
  storedSpanBytes: number;
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
  /** Only pages of some rows are left. */
  cut?: boolean;
}

/** Bytes of a row group from `base` on. */
interface ReadPart {
  bytes: Uint8Array;
  base: number;
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
  /** Of other columns nothing is read. Undefined: all are. */
  wanted?: WantedColumns | undefined;
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
  /** Numbers of the columns that are read; undefined: all. */
  readonly #wanted: Record<MergedTable, readonly number[] | undefined>;
  readonly #loaded: Record<MergedTable, Map<number, LoadedGroup>> = { spans: new Map(), events: new Map() };
  /** Row groups of which most is one trace. */
  readonly #largeTraces = new Set<number>();
  /** Row of a row group that the merge is at. */
  #next = { group: 0, row: 0 };

  private constructor(
    input: MergeInput,
    read: { index: BlockIndex; totals: readonly AttributeTotal[]; owners: Owners },
    { dictionaries, number, signal, wanted }: OpenOptions,
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
    this.#wanted = {
      spans: wanted && wantedNumbers(read.index.spans, wanted.spans),
      events: wanted && wantedNumbers(read.index.events, wanted.events),
    };
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

  /** Whether any column of events is read. */
  get readsEvents(): boolean {
    return this.#wanted.events === undefined || this.#wanted.events.length > 0;
  }

  /** The most that a row group takes. */
  largestGroupBytes(table: MergedTable): number {
    return this.index[table].groups.reduce((most, _, group) => Math.max(most, this.groupBytes(table, group)), 0);
  }

  /** What is read of a row group, where that is all of its rows. */
  groupBytes(table: MergedTable, group: number): number {
    const layout = this.index[table];
    const { length, rows } = layout.groups[group] as TableGroup;
    const columns = this.#wanted[table];
    if (columns === undefined || length === 0) return length;
    const reads = planPages(groupChunks(layout, group), { from: 0, to: rows, columns });
    return reads.reduce((sum, { from, to }) => sum + to - from, 0);
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
      let largest = 0;
      for (let trace = 0; trace < list.count; trace++) {
        const count = counts.varint();
        if (count === 0) throw wrongTraces();
        spans[trace] = count;
        rows += count;
        if (count > largest) largest = count;
      }
      if (rows !== (this.index.spans.groups[group] as TableGroup).rows) throw wrongTraces();
      if (2 * largest > rows) this.#largeTraces.add(group);
      const ids = dictionary.bytes.slice(0, 16 * dictionary.count);
      const spanBytes = rawBytes(chunks) / rows;
      const storedSpanBytes = (this.groupBytes('spans', group) + this.groupBytes('events', group)) / rows;
      if (!this.wholeGroups) freeGroup({ bytes });
      freeMemory(piece);
      return { count: list.count, ids, spans, spanBytes, storedSpanBytes };
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
    const wanted = this.#wanted[table];
    const pages = wanted === undefined ? range : { columns: wanted, ...range };
    if (!this.wholeGroups) return this.#loadPages(table, group, pages);
    this.#leaveGroups(table, group);
    // The room has another row group that is still needed; or most of this one is a trace that comes with rows of its own.
    if (keep && (!this.#isRoomFree(table) || this.#largeTraces.has(group))) {
      return this.#loadPages(table, group, pages);
    }
    const made = await this.#emptyGroup(table, group);
    const { offset, length, rows } = this.index[table].groups[group] as TableGroup;
    const room = keep ? this.rooms[table] : undefined;
    if (wanted === undefined) {
      const read = length === 0 ? NOTHING : await this.#read(table, offset, length);
      made.bytes.bytes = room === undefined ? read : putInto(room, read, 0);
    } else {
      const more: ReadPart[] = [];
      let at = 0;
      for (const { from, to } of planPages(made.chunks, { from: 0, to: rows, columns: wanted })) {
        const read = await this.#read(table, offset + from, to - from);
        more.push({ bytes: room === undefined ? read : putInto(room, read, at), base: from });
        at += to - from;
      }
      made.bytes.more = more;
    }
    made.kept = keep;
    if (keep) loaded.set(group, made);
    else cutToPages(made, pages);
    return made;
  }

  /** Rows of a row group with all of its columns, whichever are wanted. Whoever loads it lets go of it. */
  loadAll(table: MergedTable, group: number, { from, to }: PageRange): Promise<LoadedGroup> {
    return this.#loadPages(table, group, { from, to });
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

  /** A row group of which nothing has been read. */
  async #emptyGroup(table: MergedTable, group: number): Promise<LoadedGroup> {
    const layout = this.index[table];
    const { length } = layout.groups[group] as TableGroup;
    const chunks = await blaming(this.id, 'index', async () => (length === 0 ? [] : groupChunks(layout, group)));
    const cache = keepDictionaries(this.#dictionaries, `${this.#number}/${table}/${group}/`);
    const bytes = { bytes: NOTHING, base: 0, verified: new Set<number>() };
    return { columns: layout.columns, chunks, bytes, cache, kept: false };
  }

  async #loadPages(table: MergedTable, group: number, pages: PageRange): Promise<LoadedGroup> {
    const made = await this.#emptyGroup(table, group);
    const { offset } = this.index[table].groups[group] as TableGroup;
    const more: ReadPart[] = [];
    for (const { from, to } of planPages(made.chunks, pages)) {
      more.push({ bytes: await this.#read(table, offset + from, to - from), base: from });
    }
    made.bytes.more = more;
    made.cut = true;
    return made;
  }

  #isRoomFree(table: MergedTable): boolean {
    const room = this.rooms[table];
    for (const { bytes } of this.#loaded[table].values()) {
      if (room?.holds(bytes.more?.[0]?.bytes ?? bytes.bytes) === true) return false;
    }
    return true;
  }

  /** Of the row group that the merge is about to leave for another, only the pages of the rows that are left stay. */
  #leaveGroups(table: MergedTable, group: number): void {
    const { group: left, row: from } = this.#next;
    const loaded = this.#loaded[table].get(left);
    if (left >= group || from === 0 || loaded === undefined || loaded.cut === true) return;
    const to = (this.index.spans.groups[left] as TableGroup).rows;
    const range = table === 'spans' ? { from, to } : planEvents(this.index, { group: left, from, to });
    const columns = this.#wanted[table];
    if (loaded.chunks.length > 0) cutToPages(loaded, columns === undefined ? range : { ...range, columns });
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

/** Puts what was read into a room. */
function putInto(room: RoomPlace, read: Uint8Array, at: number): Uint8Array {
  if (read.length === 0) return read;
  const copy = room.put(read, at);
  if (copy !== read) freeMemory(read);
  return copy;
}

/** Keeps only the pages of some rows of a row group that was read as a whole, or of the columns that were. */
function cutToPages(group: LoadedGroup, range: PageRange): void {
  const { verified } = group.bytes;
  const more = planPages(group.chunks, range).map(({ from, to }) => {
    const { bytes, base } = partOf(group.bytes, from);
    return { bytes: bytes.slice(from - base, to - base), base: from };
  });
  freeGroup(group);
  group.bytes = { bytes: NOTHING, base: 0, verified, more };
  group.cut = true;
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
