import type { EventField, RowPartials, SpanField } from '@vivace/block';
import type { AttributeType, DictionaryView } from '@vivace/columns';

/**
 * The spans that one evaluation goes over: a row group of a block (a run of groups, where a trace is larger than one),
 * or a head. Columns are decoded when they are first asked for, and kept.
 *
 * Row numbers are positions in the batch. Arrays may be longer than `rows`; what lies beyond is undefined.
 */
export interface Batch {
  /** The same for the same rows for ever: key of what is cached of them. */
  readonly id: string;
  /** Id of the source. */
  readonly source: string;
  readonly rows: number;
  readonly traceCount: number;

  /** Fetches what the columns need. Asking for a column of which this was not done is a programmer's error. */
  prepare(needs: Needs, signal: AbortSignal): Promise<void>;
  /** Bytes that `prepare` has read so far. */
  readonly bytesRead: number;
  /** Keeps rows that were selected, by what they were selected by; undefined where rows may yet change. */
  readonly partials: RowPartials | undefined;

  /**
   * Rows of trace t: positions `traceFirst[t]` … `traceFirst[t + 1] - 1`, in canonical order: start, span id, kind. None
   * where all spans of a trace of a head are dead.
   */
  traceFirst(): Int32Array;
  /** Position → row; undefined where they are the same, as in blocks. Dead rows have no position. */
  order(): Int32Array | undefined;
  /** 16 bytes a trace. */
  traceIds(): Uint8Array;

  /** Nanoseconds since 1970 as unsigned 64 bits: low half at 2r, high half at 2r + 1. */
  start(): Uint32Array;
  end(): Uint32Array;
  /** End minus start, as `start`; 0 of spans that end before they start. */
  duration(): Uint32Array;
  /** 8 bytes a row. */
  spanIds(): Uint8Array;
  /** 8 bytes a row, all zero where a span has no parent. */
  parentIds(): Uint8Array;
  kind(): Uint8Array;
  status(): Uint8Array;
  /** Every row has a name. */
  name(): CodedColumn;
  statusMessage(): CodedColumn;
  /** Row → number in `resources`. */
  resource(): Int32Array;
  scope(): Int32Array;
  /** Canonical messages around the spans, as in `ColumnSetView`: ResourceSpans without scope_spans, ScopeSpans without spans. */
  resources(): readonly Uint8Array[];
  scopes(): readonly Uint8Array[];

  /** Keys that may have columns; others may be in the overflow. Known without `prepare`. */
  readonly attributeKeys: readonly string[];
  /** Columns of a key, at most one a type; none where no row has a column value. */
  attributes(key: string): CodedColumn[];
  /** Fragments of Span messages with what no column holds, see `ColumnSetView.overflow`. */
  overflow(): CodedColumn;

  readonly eventRows: number;
  /** Event row → span row, ascending for positions of a block and for rows of a head. */
  eventSpan(): Int32Array;
  /** 0 event, 1 link. */
  eventKind(): Uint8Array;
  /** Absolute time, as `start`; 0 for links. */
  eventTime(): Uint32Array;
  /** No value for links. */
  eventName(): CodedColumn;
  /** 24 bytes an event row, trace id and span id; zero for events and for links without ids. */
  linkIds(): Uint8Array;
  /** Of events and links. */
  readonly eventAttributeKeys: readonly string[];
  eventAttributes(key: string): CodedColumn[];
  eventOverflow(): CodedColumn;
}

/** A column of values by dictionary code. */
export interface CodedColumn {
  type: AttributeType | 'bytes';
  /** Ascending rows that have a value; undefined: `codes` has an element for every row, -1 for none. */
  rows: Int32Array | undefined;
  codes: Int32Array;
  /** Elements of `codes` that count: of `rows`, or all rows. */
  count: number;
  /**
   * Entry c is `bytes[offsets[c]] … bytes[offsets[c + 1] - 1]`, to be read by `type` as `AttributeType` says. Entries may
   * repeat and may be used by no row.
   */
  dictionary: DictionaryView;
}

/**
 * Columns of a batch. After any `prepare`, `traceFirst` and `order` are there; `eventSpan` is where a field or key of
 * events is needed.
 */
export interface Needs {
  fields: Set<SpanField>;
  keys: Set<string>;
  /** Of events and links; empty sets: no events. */
  eventFields: Set<EventField>;
  eventKeys: Set<string>;
}
