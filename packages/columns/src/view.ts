/**
 * The column set: spans as typed arrays and dictionary codes. A head fills one, the block cutter sorts and
 * encodes one, a block decodes into one, a query reads one. This file is its shape; everything is a view on
 * (usually shared) buffers, so a column set passes between threads without copying.
 *
 * Row numbers are positions of spans in the set. Arrays may be longer than their counts; what lies beyond
 * is undefined. `-1` is "absent" wherever a code may be absent.
 */
export interface ColumnSetView {
  spanCount: number;
  traceCount: number;
  /** 16 bytes a trace. */
  traceIds: Uint8Array;

  /** Row → index into `traceIds`. */
  trace: Int32Array;
  /** Row → 8 id bytes in wire order: elements 2r and 2r+1 of the array are those bytes reinterpreted. */
  spanId: Int32Array;
  /** The same of the parent; all zero where a span has none. */
  parentId: Int32Array;
  /** Nanoseconds since 1970 as unsigned 64 bits: low half at 2r, high half at 2r+1. */
  start: Uint32Array;
  /** End of the span, same form. */
  end: Uint32Array;
  /** Row → code in `names`. */
  name: Int32Array;
  /** OTLP SpanKind, 0 to 255. */
  kind: Uint8Array;
  /** OTLP StatusCode, 0 to 255. */
  status: Uint8Array;
  /** OTLP Span.flags. */
  flags: Uint32Array;
  /** Row → code in `resources`. */
  resource: Int32Array;
  /** Row → code in `scopes`. */
  scope: Int32Array;
  /** 1 for rows that are no longer part of the set (lost to a resend, or of a refused request). */
  dead: Uint8Array;

  /** Span names; always valid UTF-8 (a name that is not lies in `overflow`, and here as ""). */
  names: DictionaryView;
  /** Distinct resources: each entry is a canonical ResourceSpans message without its scope_spans (resource = 1, schema_url = 3); zero bytes for an absent or empty one. */
  resources: DictionaryView;
  /** Distinct scopes: each entry is a canonical ScopeSpans message without its spans (scope = 1, schema_url = 3); zero bytes for an absent or empty one. */
  scopes: DictionaryView;

  /** Status messages that are not empty. */
  statusMessage: SparseColumn;
  traceState: SparseColumn;
  /** One a key and type, in order of first appearance. */
  attributes: AttributeColumn[];
  /**
   * What no column can hold exactly, as a fragment of an OTLP Span message: whole fields with their tags
   * (attributes that are arrays, maps, bytes, empty, duplicate, not UTF-8 or beyond the column cap; names
   * and messages that are not UTF-8; dropped counts; unknown fields). Appended to the fields built from the
   * columns it gives the span that was sent: protobuf's last-one-wins and repeated rules do the rest.
   */
  overflow: SparseColumn;

  events: EventTableView;
}

/** Events and links of the spans, each span's in the order it sent them, rows of one span adjacent. */
export interface EventTableView {
  count: number;
  /** Event row → span row, ascending. */
  span: Int32Array;
  /** 0 = event, 1 = link. */
  kind: Uint8Array;
  /** Absolute time of an event, as `start` above; 0 for links. */
  time: Uint32Array;
  /** Code in `names` of this table; 0 to any for events, -1 for links. */
  name: Int32Array;
  names: DictionaryView;
  /** Of links: event row and 24 bytes (trace id 16, span id 8), ascending by row. */
  linkCount: number;
  linkRows: Int32Array;
  linkIds: Uint8Array;
  traceState: SparseColumn;
  attributes: AttributeColumn[];
  /** As the spans' overflow, a fragment of an OTLP Event or Link message. */
  overflow: SparseColumn;
}

/** Values of few rows: rows ascending, at most one value a row. */
export interface SparseColumn {
  count: number;
  rows: Int32Array;
  codes: Int32Array;
  dictionary: DictionaryView;
}

export interface AttributeColumn extends SparseColumn {
  key: string;
  type: AttributeType;
}

/**
 * How dictionary entries of an attribute column are to be read. string: UTF-8. int: 8 bytes, little-endian
 * two's complement. double: 8 bytes, IEEE 754 little-endian (NaN payloads are kept). bool: 1 byte, 0 or 1.
 */
export type AttributeType = 'string' | 'int' | 'double' | 'bool';

/** Distinct byte strings: entry i is `bytes[offsets[i]] … bytes[offsets[i + 1] - 1]`. */
export interface DictionaryView {
  count: number;
  bytes: Uint8Array;
  /** `count + 1` positions, the first 0. */
  offsets: Uint32Array;
}
