import type { ColumnSetView } from '@vivace/columns';
import { compareBytes, dataError, isKind, VivaceError } from '@vivace/kernel';
import {
  type BlockIndex,
  decodeIndex,
  decodeIndexHeader,
  groupChunks,
  indexSummary,
  type TableGroup,
  type TableLayout,
} from './block-index.ts';
import { ByteReader } from './byte-reader.ts';
import type { BlockCache } from './cache.ts';
import { FILTER_BLOCK_BYTES, filterMayHold, filterProbeOffset } from './filter.ts';
import { Hash64 } from './hash.ts';
import { INDEX_HEADER_BYTES, INDEX_READ_BYTES, RESOURCE_ROW, type SectionName } from './layout.ts';
import type { SectionPlace } from './layout-objects.ts';
import {
  type ChunkCache,
  type DecodedColumn,
  type DecodedDictionary,
  decodeChunk,
  readDictionary,
} from './parquet/chunk-reader.ts';
import type { ChunkLayout } from './parquet/directory.ts';
import { placeTrace, planEvents, planReads, planTrace, type RowRange } from './plan-trace.ts';
import { type Owners, type RowsPart, readRows, type TablePart } from './read-rows.ts';
import {
  type CallOptions,
  ChunkStore,
  groupKey,
  type LoadedGroup,
  layoutBytes,
  type Table,
} from './scan/chunk-store.ts';
import type { GroupRun } from './scan/group-run.ts';
import { RunColumns } from './scan/run-columns.ts';
import { decodeTraceList, type TraceList } from './trace-list.ts';
import type { ValueSummary } from './value-summary.ts';

/** What a reader needs to know of a block: part of its entry in the manifest. */
export interface BlockPlace {
  id: string;
  sections: Record<SectionName, SectionPlace>;
  /** See `BlockContent`. */
  unfilteredKeys?: readonly number[];
}

/**
 * Exactly these bytes of an object of the block. Errors pass through; fewer or more bytes are reported as
 * `data` here.
 */
export type ReadRange = (object: string, offset: number, length: number, signal?: AbortSignal) => Promise<Uint8Array>;

export interface OpenBlockOptions {
  place: BlockPlace;
  readRange: ReadRange;
  cache: BlockCache;
  /** Seeds hash tables over strings that senders chose. */
  seed?: number;
  /** An index up to this size is read at once. Default 1 MiB. */
  indexReadBytes?: number;
}

/** Bytes of the sections that lookups by id read. */
export interface BlockSections {
  index: Uint8Array;
  filter: Uint8Array;
  spans: Uint8Array;
  events: Uint8Array;
}

/**
 * A block, read through a cache. Makes no read before it is asked something. All methods reject with `data`
 * errors for bytes that are not what was written, and with the errors of `readRange`.
 */
export interface BlockReader {
  readonly id: string;
  /** Hashes (`hashKey`) of keys of which the filter does not know all values; undefined: not known without its summary. */
  readonly unfilteredKeys: readonly number[] | undefined;
  /**
   * False: the block certainly does not have it. One small read: of 32 bytes, or of a filter of a few kilobytes, or of a
   * larger one that is asked again and again.
   */
  mayHoldTrace(traceId: Uint8Array, options?: CallOptions): Promise<boolean>;
  /** The same of a hash made by Hash64: of an attribute's value. */
  mayHold(low: number, high: number, options?: CallOptions): Promise<boolean>;
  /**
   * The spans of a trace (16 bytes), in block order; `undefined` when the block does not have it. At most five
   * reads, the filter's included: none of what the cache holds.
   */
  readTrace(traceId: Uint8Array, options?: ReadTraceOptions): Promise<ColumnSetView | undefined>;
  /** Whether the block lists a trace whose id has these first eight bytes: its filter, and if that says so its trace list. */
  listsTrace(traceId: Uint8Array, options?: CallOptions): Promise<boolean>;
  index(options?: CallOptions): Promise<BlockIndex>;
  /** Puts the sections of a block that was just written into the cache: lookups then read nothing of it. */
  keep(sections: BlockSections): void;
  /** A row group of spans with its events. Parents are right only where traces are whole: see `traceGroups`. */
  readGroup(group: number, options?: CallOptions): Promise<ColumnSetView>;
  /** Every trace of a row group: eight bytes of each id (see `TraceList`) and its spans. */
  readTraceList(group: number, options?: CallOptions): Promise<TraceList>;
  /** The columns of a run of row groups, see `batchesOf`: reads the index, and columns when they are fetched. */
  readRun(run: GroupRun, options?: CallOptions): Promise<RunColumns>;
  readSummary(options?: CallOptions): Promise<ValueSummary>;
  /** Exact bytes of the resources and scopes, by number. */
  readOwners(options?: CallOptions): Promise<Owners>;
}

interface ReadTraceOptions extends CallOptions {
  /** The filter is not asked: it is known from elsewhere that the block most probably has the trace. Default false. */
  isNamed?: boolean;
}

/** A filter up to this is read whole: the request costs more than the bytes, and the next probe nothing. */
const WHOLE_FILTER_BYTES = 16 * 1024;
/** And one up to this that was asked so often, each time at the price of a request. */
const ASKED_FILTER_BYTES = 256 * 1024;
const MANY_PROBES = 8;
/** What an entry of the cache of filters takes besides its bytes. */
const FILTER_ENTRY_BYTES = 200;
/** A trace larger than a row group is read in pieces of at most this. */
const MAX_READ_BYTES = 64 * 1024 * 1024;
export function openBlock(options: OpenBlockOptions): BlockReader {
  return new Reader(options);
}

class Reader implements BlockReader {
  readonly #place: BlockPlace;
  readonly #readRange: ReadRange;
  readonly #cache: BlockCache;
  readonly #seed: number;
  readonly #indexReadBytes: number;
  readonly #store: ChunkStore;

  constructor({ place, readRange, cache, seed = 0, indexReadBytes = INDEX_READ_BYTES }: OpenBlockOptions) {
    this.#place = place;
    this.#readRange = readRange;
    this.#cache = cache;
    this.#seed = seed;
    this.#indexReadBytes = Math.max(INDEX_HEADER_BYTES, indexReadBytes);
    this.#store = new ChunkStore(place.id, cache, (...read) => this.#read(...read));
  }

  get id(): string {
    return this.#place.id;
  }

  get unfilteredKeys(): readonly number[] | undefined {
    return this.#place.unfilteredKeys;
  }

  async mayHoldTrace(traceId: Uint8Array, options: CallOptions = {}): Promise<boolean> {
    const hash = new Hash64();
    hash.traceId(checkTraceId(traceId), 0);
    return this.mayHold(hash.low, hash.high, options);
  }

  async mayHold(low: number, high: number, options: CallOptions = {}): Promise<boolean> {
    const { length } = this.#place.sections.filter;
    const offset = filterProbeOffset(length, high);
    const { filters } = this.#cache;
    const key = `${this.id}/${offset}`;
    const mayHoldIn = (block: Uint8Array) => filterMayHold(block, length, low, high);
    const whole = filters.get(this.id) as Uint8Array | undefined;
    try {
      if (whole !== undefined) return mayHoldIn(whole.subarray(offset, offset + FILTER_BLOCK_BYTES));
    } catch (error) {
      // Only what was asked of it is known to be right: the rest may have come damaged, that one time.
      if (!isKind(error, 'data')) throw error;
    }
    const kept = filters.get(key) as Uint8Array | undefined;
    if (kept !== undefined) return mayHoldIn(kept);
    const probesKey = `${this.id}/probes`;
    const { probes } = (filters.get(probesKey) as { probes: number } | undefined) ?? { probes: 0 };
    const wholeBytes = probes < MANY_PROBES ? WHOLE_FILTER_BYTES : ASKED_FILTER_BYTES;
    if (whole === undefined && length <= wholeBytes) {
      const read = await this.#read('filter', 0, length, options);
      const mayHold = mayHoldIn(read.subarray(offset, offset + FILTER_BLOCK_BYTES));
      filters.put(this.id, read, length + FILTER_ENTRY_BYTES);
      return mayHold;
    }
    const block = await this.#read('filter', offset, FILTER_BLOCK_BYTES, options);
    const mayHold = mayHoldIn(block);
    filters.put(key, block, FILTER_BLOCK_BYTES + FILTER_ENTRY_BYTES);
    filters.put(probesKey, { probes: probes + 1 }, FILTER_ENTRY_BYTES);
    return mayHold;
  }

  async readTrace(traceId: Uint8Array, options: ReadTraceOptions = {}): Promise<ColumnSetView | undefined> {
    checkTraceId(traceId);
    if (options.isNamed !== true && !(await this.mayHoldTrace(traceId, options))) return undefined;
    const index = await this.index(options);
    const place = placeTrace(index, traceId);
    if (place === undefined) return undefined;
    const list = await this.readTraceList(place.group, options);
    const candidates = planTrace(index, place, list, traceId);
    const [first] = candidates;
    if (first === undefined) return undefined;
    // Events can be fetched before it is known which of several candidates it is only when there is one.
    const early = candidates.length === 1 ? this.#events(index, first.ranges, options) : undefined;
    const [spans] = await Promise.all([
      this.#groups(
        index,
        'spans',
        first.ranges.map(({ group }) => group),
        options,
      ),
      early,
    ]);
    const chosen = this.#chooseTrace(index, spans.get(place.group) as LoadedGroup, place.group, candidates, traceId);
    if (chosen === undefined) return undefined;
    const events = await (early ?? this.#events(index, chosen, options));
    return this.#decode(index, chosen, spans, events, await this.readOwners(options), true);
  }

  async listsTrace(traceId: Uint8Array, options: CallOptions = {}): Promise<boolean> {
    if (!(await this.mayHoldTrace(traceId, options))) return false;
    const index = await this.index(options);
    const place = placeTrace(index, traceId);
    if (place === undefined) return false;
    return planTrace(index, place, await this.readTraceList(place.group, options), traceId).length > 0;
  }

  async index(options: CallOptions = {}): Promise<BlockIndex> {
    const key = `${this.id}/index`;
    const known = this.#cache.get(key) as BlockIndex | undefined;
    if (known !== undefined) return known;
    const { length } = this.#place.sections.index;
    let bytes = await this.#read('index', 0, Math.min(length, this.#indexReadBytes), options);
    const { summary } = decodeIndexHeader(bytes);
    if (summary.offset > bytes.length) {
      const rest = await this.#read('index', bytes.length, summary.offset - bytes.length, options);
      bytes = Buffer.concat([bytes, rest]);
    }
    const index = decodeIndex(bytes);
    this.#cache.put(key, index, indexBytes(index));
    return index;
  }

  keep({ index: indexSection, filter, spans, events }: BlockSections): void {
    const index = decodeIndex(indexSection);
    this.#cache.put(`${this.id}/index`, index, indexBytes(index));
    // A copy: a view would keep all bytes of the block for as long as its filter.
    this.#cache.filters.put(this.id, filter.slice(), filter.length + FILTER_ENTRY_BYTES);
    for (const [table, bytes] of [
      ['spans', spans],
      ['events', events],
    ] as const) {
      for (const [number, { offset, length }] of index[table].groups.entries()) {
        if (length > 0) this.#keepGroup(index[table], table, number, bytes.subarray(offset, offset + length));
      }
    }
  }

  async readGroup(group: number, options: CallOptions = {}): Promise<ColumnSetView> {
    const index = await this.index(options);
    const { rows } = index.spans.groups[group] as TableGroup;
    const ranges = [{ group, from: 0, to: rows }];
    const spans = await this.#groups(index, 'spans', [group], options);
    const events = await this.#events(index, ranges, options);
    return this.#decode(index, ranges, spans, events, await this.readOwners(options), false);
  }

  async readTraceList(group: number, options: CallOptions = {}): Promise<TraceList> {
    const index = await this.index(options);
    const traceGroup = index.traceGroups[group];
    if (traceGroup === undefined) throw new VivaceError('invalid', 'block-group', `a block has no row group ${group}`);
    const { offset, length } = traceGroup.list;
    const key = `${this.id}/list/${group}`;
    const known = this.#cache.get(key) as TraceList | undefined;
    if (known !== undefined) return known;
    const read = offset + length <= index.bytes.length;
    const piece = read
      ? index.bytes.subarray(offset, offset + length)
      : await this.#read('index', offset, length, options);
    const list = decodeTraceList(piece, traceGroup);
    this.#cache.put(key, list, (read ? 0 : length) + 200);
    return list;
  }

  async readRun(run: GroupRun, options: CallOptions = {}): Promise<RunColumns> {
    const index = await this.index(options);
    if (run.first < 0 || run.first >= run.end || run.end > index.spans.groups.length) {
      throw new VivaceError('invalid', 'block-group', `a block has no row groups ${run.first} to ${run.end - 1}`);
    }
    const source = {
      blockId: this.id,
      index,
      cache: this.#cache,
      store: this.#store,
      readTraceList: (group: number, call: CallOptions) => this.readTraceList(group, call),
      readOwners: (call: CallOptions) => this.readOwners(call),
    };
    return new RunColumns(source, run);
  }

  async readSummary(options: CallOptions = {}): Promise<ValueSummary> {
    const key = `${this.id}/summary`;
    const known = this.#cache.get(key) as ValueSummary | undefined;
    if (known !== undefined) return known;
    const index = await this.index(options);
    const { offset, storedBytes, rawBytes } = index.summary;
    const read = offset + storedBytes <= index.bytes.length;
    const summary = indexSummary(
      read
        ? index
        : {
            ...index,
            bytes: await this.#read('index', offset, storedBytes, options),
            summary: { ...index.summary, offset: 0 },
          },
    );
    // Values are views of the bytes; each is an object, too.
    const values = summary.attributes.reduce((sum, attribute) => sum + attribute.values.length, 0);
    this.#cache.put(key, summary, rawBytes + 200 * (values + summary.attributes.length));
    return summary;
  }

  /** Of traces that share their first eight bytes, the one that is asked for: ids are whole in the dictionary. */
  #chooseTrace(
    index: BlockIndex,
    loaded: LoadedGroup,
    group: number,
    candidates: { position: number; ranges: RowRange[] }[],
    traceId: Uint8Array,
  ): RowRange[] | undefined {
    const column = index.spans.columns.findIndex(({ schema }) => schema.name === 'trace_id');
    const schema = index.spans.columns[column]?.schema;
    const chunk = loaded.chunks[column];
    if (schema === undefined || chunk === undefined) throw dataError('block-index', 'a block has no trace ids');
    const cache = this.#chunkCache('spans', group, loaded.keys);
    const { bytes, count } = readDictionary(schema, chunk, loaded.group, cache);
    for (const { position, ranges } of candidates) {
      if (position >= count) throw dataError('block-index', 'the trace list of a block is longer than its traces');
      if (compareBytes(bytes.subarray(16 * position, 16 * position + 16), traceId) === 0) return ranges;
    }
    return undefined;
  }

  async #events(
    index: BlockIndex,
    ranges: readonly RowRange[],
    options: CallOptions,
  ): Promise<Map<number, LoadedGroup>> {
    const wanted = ranges.map((range) => planEvents(index, range)).filter(({ from, to }) => to > from);
    return this.#groups(
      index,
      'events',
      wanted.map(({ group }) => group),
      options,
    );
  }

  /** Row groups from the cache or the store, in as few reads as their places allow. */
  async #groups(
    index: BlockIndex,
    table: Table,
    wanted: readonly number[],
    options: CallOptions,
  ): Promise<Map<number, LoadedGroup>> {
    const layout = table === 'resources' ? index.resourceTable : index[table];
    const loaded = new Map<number, LoadedGroup>();
    const missing: number[] = [];
    for (const group of wanted) {
      const known = this.#cache.get(groupKey(this.id, table, group)) as LoadedGroup | undefined;
      if (known === undefined) missing.push(group);
      else loaded.set(group, known);
    }
    for (const read of planReads(layout.groups, missing, MAX_READ_BYTES)) {
      const bytes = await this.#read(table, read.offset, read.length, options);
      let at = 0;
      for (const number of read.groups) {
        const { length } = layout.groups[number] as TableGroup;
        loaded.set(number, this.#keepGroup(layout, table, number, bytes.subarray(at, at + length)));
        at += length;
      }
    }
    return loaded;
  }

  #keepGroup(layout: TableLayout, table: Table, number: number, bytes: Uint8Array): LoadedGroup {
    const group: LoadedGroup = {
      group: { bytes, base: 0, verified: new Set() },
      chunks: groupChunks(layout, number),
      keys: new Map(),
    };
    this.#cache.put(groupKey(this.id, table, number), group, bytes.length + layoutBytes(group.chunks));
    return group;
  }

  #decode(
    index: BlockIndex,
    ranges: readonly RowRange[],
    spans: Map<number, LoadedGroup>,
    events: Map<number, LoadedGroup>,
    owners: Owners,
    keepPages: boolean,
  ): ColumnSetView {
    const part = (table: 'spans' | 'events', { group, from, to }: RowRange, loaded: LoadedGroup): TablePart => ({
      group: loaded.group,
      chunks: loaded.chunks,
      cache: this.#chunkCache(table, group, loaded.keys, keepPages),
      firstRow: (index[table].groups[group] as TableGroup).firstRow,
      from,
      to,
    });
    const parts = ranges.map((range): RowsPart => {
      const loaded = events.get(range.group);
      return {
        spans: part('spans', range, spans.get(range.group) as LoadedGroup),
        events: loaded && part('events', planEvents(index, range), loaded),
      };
    });
    return readRows(index, parts, owners, this.#seed);
  }

  async readOwners(options: CallOptions = {}): Promise<Owners> {
    const index = await this.index(options);
    const { resources, scopes, resourceTable } = index;
    if (resources !== undefined && scopes !== undefined) return { resources, scopes };
    const key = `${this.id}/owners`;
    const known = this.#cache.get(key) as Owners | undefined;
    if (known !== undefined) return known;
    const owners: { resources: Uint8Array[]; scopes: Uint8Array[] } = { resources: [], scopes: [] };
    const groups = resourceTable.groups.map((_, group) => group);
    const loaded = await this.#groups(index, 'resources', groups, options);
    let cost = 0;
    for (const group of groups) {
      const rows = loaded.get(group) as LoadedGroup;
      const column = (name: string): DecodedColumn => {
        const number = resourceTable.columns.findIndex(({ schema }) => schema.name === name);
        const { schema } = resourceTable.columns[number] as TableLayout['columns'][number];
        const { rows: count } = resourceTable.groups[group] as TableGroup;
        const chunk = rows.chunks[number] as ChunkLayout;
        return decodeChunk(schema, chunk, rows.group, this.#chunkCache('resources', group, rows.keys), 0, count);
      };
      const kinds = column('kind');
      const exact = column('bytes');
      for (const [row, code] of exact.codes.entries()) {
        const { bytes, offsets } = exact.entries;
        const entry = bytes.subarray(offsets?.[code], offsets?.[code + 1]);
        const kind = kinds.entries.bytes[4 * (kinds.codes[row] as number)];
        (kind === RESOURCE_ROW ? owners.resources : owners.scopes).push(entry);
        cost += entry.length + 100;
      }
    }
    this.#cache.put(key, owners, cost);
    return owners;
  }

  /** Inflated pages are kept for lookups, which come back to them; a scan would push everything else out. */
  #chunkCache(table: Table, group: number, keys: Map<number, string>, keepPages = false): ChunkCache {
    const keyOf = (offset: number): string => {
      let key = keys.get(offset);
      if (key === undefined) keys.set(offset, (key = `${groupKey(this.id, table, group)}/${offset}`));
      return key;
    };
    return {
      dictionary: (offset) => this.#cache.get(keyOf(offset)) as DecodedDictionary | undefined,
      putDictionary: (offset, dictionary) => {
        const bytes = dictionary.bytes.byteLength + (dictionary.offsets?.byteLength ?? 0) + 200;
        this.#cache.put(keyOf(offset), dictionary, bytes);
      },
      page: (offset) => (keepPages ? this.#cache.pages.get(keyOf(offset)) : undefined),
      reservePage: (offset, length) => (keepPages ? this.#cache.pages.reserve(keyOf(offset), length) : undefined),
      forgetPage: (offset) => this.#cache.pages.forget(keyOf(offset)),
    };
  }

  async #read(section: SectionName, offset: number, length: number, { signal, onRead }: CallOptions) {
    const { object, offset: start, length: sectionLength } = this.#place.sections[section];
    if (offset + length > sectionLength) throw dataError('block-truncated', `the ${section} of a block end early`);
    signal?.throwIfAborted();
    const bytes = await this.#readRange(object, start + offset, length, signal);
    if (bytes.length !== length) {
      throw dataError('block-truncated', `a read of ${length} bytes of a block gave ${bytes.length}`);
    }
    onRead?.(length);
    return bytes;
  }
}

/** Number of spans of every trace of a list. */
export function traceSpanCounts(list: TraceList): number[] {
  const counts = new ByteReader(list.counts);
  return Array.from({ length: list.count }, () => counts.varint());
}

function indexBytes({ bytes, spans, events, resources, scopes, eventSteps, traceGroups }: BlockIndex): number {
  let total = bytes.length + eventSteps.byteLength + 200 * traceGroups.length;
  for (const { columns, groups } of [spans, events]) {
    total += 200 * columns.length;
    for (const { directory } of groups) total += directory.length + 100;
  }
  for (const entry of [...(resources ?? []), ...(scopes ?? [])]) total += entry.length + 100;
  return total;
}

function checkTraceId(traceId: Uint8Array): Uint8Array {
  if (traceId.length !== 16) throw new VivaceError('invalid', 'trace-id', `a trace id of ${traceId.length} bytes`);
  return traceId;
}
