import type { AttributeType } from '@vivace/columns';
import { assert, dataError, freeMemory } from '@vivace/kernel';
import type { BlockIndex, TableGroup, TraceGroup } from '../block-index.ts';
import { ByteReader } from '../byte-reader.ts';
import type { BlockCache } from '../cache.ts';
import { NO_PARENT } from '../parent-links.ts';
import type { CodedRows } from '../parquet/whole-chunk.ts';
import type { Owners } from '../read-rows.ts';
import { completeParents, endsOf, eventTimes, exactEnds } from '../row-times.ts';
import type { TraceList } from '../trace-list.ts';
import type { CallOptions, ChunkStore } from './chunk-store.ts';
import { type EventField, type Field, SOURCES, type SpanField } from './fields.ts';
import type { GroupRun } from './group-run.ts';
import { TableRun } from './table-run.ts';
import { withoutEnds } from './without-ends.ts';

/** Columns to be fetched: of spans, and of their events and links. */
export interface ColumnNeeds {
  fields: ReadonlySet<SpanField>;
  keys: ReadonlySet<string>;
  eventFields: ReadonlySet<EventField>;
  eventKeys: ReadonlySet<string>;
}

/** Codes of a column's values, and how to read the entries they stand for. */
export interface CodedValues extends CodedRows {
  type: AttributeType | 'bytes';
}

const NO_VALUES: CodedRows = {
  rows: new Int32Array(0),
  codes: new Int32Array(0),
  count: 0,
  dictionary: { count: 0, bytes: new Uint8Array(0), offsets: new Uint32Array(1) },
};

/** Rows of a run that fulfil something, by the text of what: blocks never change, so neither do they. */
export interface RowPartials {
  get(of: string): Int32Array | undefined;
  put(of: string, rows: Int32Array): void;
}

/** What the columns of a run are made from. */
export interface RunSource {
  blockId: string;
  index: BlockIndex;
  cache: BlockCache;
  store: ChunkStore;
  readTraceList(group: number, options: CallOptions): Promise<TraceList>;
  readOwners(options: CallOptions): Promise<Owners>;
}

/**
 * The columns of a run of row groups. They are fetched first; then each is decoded when it is first asked for, and kept
 * here and in the block cache, where other scans of the run find it. Rows are counted from the first of the run, 64-bit
 * numbers are halves (low at 2r, high at 2r + 1). Methods throw `data` errors for bytes that contradict each other, and
 * are a programmer's error before their columns were fetched.
 */
export class RunColumns {
  readonly rows: number;
  readonly traceCount: number;
  readonly eventRows: number;
  /** Bytes that `fetch` has read so far. */
  bytesRead = 0;
  readonly #source: RunSource;
  readonly #run: GroupRun;
  readonly #spans: TableRun;
  readonly #events: TableRun;
  /** Decoded columns. */
  readonly #held = new Map<string, object>();
  #owners: Owners | undefined;
  /** Between the fetch of what `end` needs and its decoding. */
  #duration: Uint32Array | undefined;

  constructor(source: RunSource, run: GroupRun) {
    const { index, store } = source;
    this.#source = source;
    this.#run = run;
    this.#spans = new TableRun('spans', index.spans, run, store);
    this.#events = new TableRun('events', index.events, run, store);
    this.rows = this.#spans.rows;
    this.eventRows = this.#events.rows;
    const first = (index.traceGroups[run.first] as TraceGroup).firstTrace;
    this.traceCount = this.#isOneTrace ? 1 : (index.traceGroups[run.end]?.firstTrace ?? index.traces) - first;
  }

  /**
   * Reads the column chunks that the needs ask for and neither this object nor the cache has, whole row groups
   * included; chunks that lie near one another in one read.
   */
  async fetch({ fields, keys, eventFields, eventKeys }: ColumnNeeds, signal?: AbortSignal): Promise<void> {
    const options: CallOptions = {
      ...(signal !== undefined && { signal }),
      onRead: (bytes) => {
        this.bytesRead += bytes;
      },
    };
    const spans: number[] = [];
    const events: number[] = [];
    const add = (field: Field): void => {
      if (this.#has(field)) return;
      if (field === 'overflow' && !this.#hasOverflow) return;
      const source = SOURCES[field];
      for (const name of source.spans ?? []) spans.push(this.#spans.number(name));
      for (const name of source.events ?? []) events.push(this.#events.number(name));
      for (const other of source.fields ?? []) add(other);
    };
    for (const field of fields) add(field);
    for (const field of eventFields) add(field);
    if (eventFields.size > 0 || eventKeys.size > 0) add('eventSpan');
    for (const key of keys) {
      for (const { number } of this.#spans.attributes(key)) if (!this.#has(`attribute/${number}`)) spans.push(number);
    }
    for (const key of eventKeys) {
      for (const { number } of this.#events.attributes(key)) {
        if (!this.#has(`event-attribute/${number}`)) events.push(number);
      }
    }
    await Promise.all([
      this.#fetchTraces(options),
      this.#spans.fetch(spans, options),
      this.#events.fetch(events, options),
      fields.has('resource') || fields.has('scope') ? this.#fetchOwners(options) : undefined,
    ]);
    if (fields.has('end')) await this.#fetchExactEnds(options);
  }

  /** Rows of trace t: `traceFirst[t]` … `traceFirst[t + 1] - 1`. */
  traceFirst(): Int32Array {
    return this.#fetched<Int32Array>('traceFirst');
  }

  /** 16 bytes a trace. */
  traceIds(): Uint8Array {
    return this.#column('traceIds', () => {
      if (this.#isOneTrace) {
        return (this.#source.index.traceGroups[this.#run.first] as TraceGroup).firstTraceId;
      }
      const { bytes, count } = this.#spans.dictionary(this.#spans.number('trace_id'));
      if (count !== this.traceCount) throw dataError('block-index', 'the trace ids of a row group are not its traces');
      return bytes.slice();
    });
  }

  start(): Uint32Array {
    return this.#plain('start', 'start', (number) => this.#spans.halves(number));
  }

  end(): Uint32Array {
    return this.#column('end', () => {
      const end = this.#duration;
      assert(end !== undefined, 'the ends of spans were not fetched');
      this.#duration = undefined;
      const exact = this.#mayHaveExactEnds(end) ? exactEnds(this.#storedOverflow(), end) : [];
      endsOf(this.start(), end, this.rows, end);
      for (const { row, low, high } of exact) {
        end[2 * row] = low;
        end[2 * row + 1] = high;
      }
      return end;
    });
  }

  /** As `start`; 0 of spans that end before they start. */
  duration(): Uint32Array {
    return this.#column('duration', () => this.#spans.halves(this.#spans.number('duration')));
  }

  /** 8 bytes a row. */
  spanIds(): Uint8Array {
    return this.#plain('spanIds', 'span_id', (number) => this.#spans.fixed(number, 8));
  }

  /** 8 bytes a row, all zero where a span has no parent. */
  parentIds(): Uint8Array {
    return this.#column('parentIds', () => {
      const ids = this.#spans.fixed(this.#spans.number('parent_id'), 8);
      const delta = this.#spans.integers(this.#spans.number('parent'), { absent: NO_PARENT });
      completeParents(wordsOf(ids), delta, wordsOf(this.spanIds()), this.rows);
      freeMemory(delta);
      return ids;
    });
  }

  kind(): Uint8Array {
    return this.#plain('kind', 'kind', (number) => narrowed(this.#spans.integers(number)));
  }

  status(): Uint8Array {
    return this.#plain('status', 'status', (number) => narrowed(this.#spans.integers(number)));
  }

  name(): CodedValues {
    return this.#coded('name', this.#spans, this.#spans.number('name'), 'string');
  }

  statusMessage(): CodedValues {
    return this.#coded('statusMessage', this.#spans, this.#spans.number('status_message'), 'string');
  }

  /** Row → number in `resources`. */
  resource(): Int32Array {
    return this.#column('resource', () => this.#ownerNumbers('resource_id', this.resources().length));
  }

  /** Row → number in `scopes`. */
  scope(): Int32Array {
    return this.#column('scope', () => this.#ownerNumbers('scope_id', this.scopes().length));
  }

  /** Exact bytes of the resources of the block; there once `resource` or `scope` was fetched. */
  resources(): readonly Uint8Array[] {
    assert(this.#owners !== undefined, 'resources were not fetched');
    return this.#owners.resources;
  }

  scopes(): readonly Uint8Array[] {
    assert(this.#owners !== undefined, 'scopes were not fetched');
    return this.#owners.scopes;
  }

  /** Columns of a key, one a type of which a row has a value. */
  attributes(key: string): CodedValues[] {
    return this.#spans
      .attributes(key)
      .map(({ number, type }) => this.#coded(`attribute/${number}`, this.#spans, number, type));
  }

  /** Fragments without the exact ends that `end` gives. */
  overflow(): CodedValues {
    return this.#column('overflow', () => {
      if (!this.#hasOverflow) return { type: 'bytes', ...NO_VALUES };
      const stored = this.#storedOverflow();
      const exact = exactEnds(stored, this.#spans.halves(this.#spans.number('duration')));
      return { type: 'bytes', ...withoutEnds(stored, exact) };
    });
  }

  /** Event row → span row, ascending. */
  eventSpan(): Int32Array {
    return this.#column('eventSpan', () => {
      const spans = this.#events.integers(this.#events.number('span_row'));
      const { firstRow } = this.#source.index.spans.groups[this.#run.first] as TableGroup;
      let last = 0;
      for (let event = 0; event < spans.length; event++) {
        const row = (spans[event] as number) - firstRow;
        if (row < last || row >= this.rows) {
          throw dataError('block-row', 'events of a block are not in the order of their spans');
        }
        spans[event] = row;
        last = row;
      }
      return spans;
    });
  }

  /** 0 event, 1 link. */
  eventKind(): Uint8Array {
    return this.#column('eventKind', () => new Uint8Array(this.#events.integers(this.#events.number('kind'))));
  }

  /** Absolute times of events; 0 for links. */
  eventTime(): Uint32Array {
    return this.#column('eventTime', () => {
      const times = this.#events.halves(this.#events.number('time_offset'));
      eventTimes(times, this.eventKind(), this.eventSpan(), this.start(), this.eventRows);
      return times;
    });
  }

  eventName(): CodedValues {
    return this.#coded('eventName', this.#events, this.#events.number('name'), 'string');
  }

  /** 24 bytes an event row, trace id and span id; zero where there are none. */
  linkIds(): Uint8Array {
    return this.#column('linkIds', () => {
      const traceIds = this.#events.fixed(this.#events.number('linked_trace_id'), 16);
      const spanIds = this.#events.fixed(this.#events.number('linked_span_id'), 8);
      const ids = new Uint8Array(24 * this.eventRows);
      for (let row = 0; row < this.eventRows; row++) {
        for (let k = 0; k < 16; k++) ids[24 * row + k] = traceIds[16 * row + k] as number;
        for (let k = 0; k < 8; k++) ids[24 * row + 16 + k] = spanIds[8 * row + k] as number;
      }
      return ids;
    });
  }

  eventAttributes(key: string): CodedValues[] {
    return this.#events
      .attributes(key)
      .map(({ number, type }) => this.#coded(`event-attribute/${number}`, this.#events, number, type));
  }

  eventOverflow(): CodedValues {
    return this.#coded('eventOverflow', this.#events, this.#events.number('overflow'), 'bytes');
  }

  /** The run is one trace that is larger than a row group. */
  get #isOneTrace(): boolean {
    return this.#run.end - this.#run.first > 1;
  }

  get #hasOverflow(): boolean {
    return this.#spans.hasValues(this.#spans.number('overflow'));
  }

  #storedOverflow(): CodedRows {
    return this.#spans.coded(this.#spans.number('overflow'));
  }

  #ownerNumbers(name: string, count: number): Int32Array {
    return this.#spans.integers(this.#spans.number(name), { limit: count });
  }

  #mayHaveExactEnds(duration: Uint32Array): boolean {
    if (!this.#hasOverflow) return false;
    for (let at = 0; at < duration.length; at += 2) if (duration[at] === 0 && duration[at + 1] === 0) return true;
    return false;
  }

  /** Only durations tell whether ends lie in the overflow column, too. */
  async #fetchExactEnds(options: CallOptions): Promise<void> {
    if (this.#duration !== undefined || this.#has('end')) return;
    this.#duration = this.#spans.halves(this.#spans.number('duration'));
    if (this.#mayHaveExactEnds(this.#duration)) await this.#spans.fetch([this.#spans.number('overflow')], options);
  }

  async #fetchOwners(options: CallOptions): Promise<void> {
    this.#owners ??= await this.#source.readOwners(options);
  }

  async #fetchTraces(options: CallOptions): Promise<void> {
    if (this.#has('traceFirst')) return;
    const list = this.#isOneTrace ? undefined : await this.#source.readTraceList(this.#run.first, options);
    this.#column('traceFirst', () => {
      if (list === undefined) return Int32Array.of(0, this.rows);
      if (list.count !== this.traceCount) throw wrongTraces();
      const counts = new ByteReader(list.counts);
      const first = new Int32Array(this.traceCount + 1);
      let row = 0;
      for (let trace = 1; trace <= this.traceCount; trace++) {
        const spans = counts.varint();
        row += spans;
        if (spans === 0 || row > this.rows) throw wrongTraces();
        first[trace] = row;
      }
      if (row !== this.rows) throw wrongTraces();
      return first;
    });
  }

  /** A column of spans of which nothing else is made: its bytes are let go of. */
  #plain<T extends Uint8Array | Uint32Array>(key: string, name: string, decode: (number: number) => T): T {
    return this.#column(key, () => {
      const number = this.#spans.number(name);
      const column = decode(number);
      this.#spans.release(number);
      return column;
    });
  }

  #coded(key: string, table: TableRun, number: number, type: CodedValues['type']): CodedValues {
    return this.#column(key, () => {
      const column: CodedValues = { type, ...table.coded(number) };
      table.release(number);
      return column;
    });
  }

  /** Where what is worked out of these rows is kept, bounded by the cache; undefined where it is not. */
  get partials(): RowPartials | undefined {
    const { cache, blockId } = this.#source;
    if (!cache.keepsPartials) return undefined;
    const key = (of: string): string => `${blockId}/rows/${this.#run.first}/${of}`;
    return {
      get: (of) => cache.get(key(of)) as Int32Array | undefined,
      put: (of, rows) => cache.put(key(of), rows, rows.byteLength + 2 * key(of).length + 100),
    };
  }

  #key(column: string): string {
    return `${this.#source.blockId}/decoded/${this.#run.first}/${column}`;
  }

  /** Whether a column has been decoded; if so it is held from now on. */
  #has(column: string): boolean {
    if (this.#held.has(column)) return true;
    const known = this.#source.cache.get(this.#key(column)) as object | undefined;
    if (known === undefined) return false;
    this.#held.set(column, known);
    return true;
  }

  #fetched<T extends object>(column: string): T {
    const held = this.#held.get(column);
    assert(held !== undefined, `${column} was not fetched`);
    return held as T;
  }

  /** A decoded column: from here, from the cache, or made. */
  #column<T extends Uint8Array | Int32Array | Uint32Array | CodedValues>(column: string, make: () => T): T {
    if (this.#has(column)) return this.#held.get(column) as T;
    const made = make();
    this.#held.set(column, made);
    this.#source.cache.put(this.#key(column), made, columnBytes(made));
    return made;
  }
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

function narrowed(values: Int32Array): Uint8Array {
  const bytes = new Uint8Array(values);
  freeMemory(values);
  return bytes;
}

function columnBytes(column: Uint8Array | Int32Array | Uint32Array | CodedValues): number {
  if (!('codes' in column)) return column.byteLength + 200;
  const { rows, codes, dictionary } = column;
  return (rows?.byteLength ?? 0) + codes.byteLength + dictionary.bytes.byteLength + 4 * dictionary.count + 400;
}

function wrongTraces(): Error {
  return dataError('block-index', 'the trace list of a block does not fit its row group');
}
