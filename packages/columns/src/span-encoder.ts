import { utf8Encode } from '@vivace/kernel';
import { Fragment, varintLength } from './fragment.ts';
import type { AttributeColumn, ColumnSetView, DictionaryView, SparseColumn } from './view.ts';

/**
 * Spans of one trace from one source, encoded: what heads and blocks answer by-id lookups with, and what is
 * merged over sources. Plain arrays, cheap to pass between threads.
 */
export interface EncodedSpans {
  count: number;
  /** Span messages one after another, without tags and lengths; `status` is always present. */
  bytes: Uint8Array;
  /** `count + 1` positions in `bytes`. */
  offsets: Uint32Array;
  /** Per span 8 id bytes. */
  spanIds: Uint8Array;
  kinds: Uint8Array;
  /** Unsigned nanoseconds, low half then high half. */
  starts: Uint32Array;
  ends: Uint32Array;
  /** Per span an index in `resources`, the ResourceSpans fields around it; and in `scopes`. */
  resource: Int32Array;
  scope: Int32Array;
  resources: Uint8Array[];
  scopes: Uint8Array[];
}

/** Encodes rows of a column set, given in ascending order, as OTLP Span messages; dead rows are left out. */
export function encodeSpans(view: ColumnSetView, rows: Int32Array): EncodedSpans {
  const live = rows.filter((row) => view.dead[row] !== 1);
  const count = live.length;
  const encoder = new SpanEncoder(view);
  const offsets = new Uint32Array(count + 1);
  const spanIds = new Uint8Array(count * 8);
  const idBytes = new Uint8Array(view.spanId.buffer, view.spanId.byteOffset);
  const resources = new Picker(view.resources);
  const scopes = new Picker(view.scopes);
  const encoded: EncodedSpans = {
    count,
    bytes: encoder.out.source.bytes,
    offsets,
    spanIds,
    kinds: new Uint8Array(count),
    starts: new Uint32Array(count * 2),
    ends: new Uint32Array(count * 2),
    resource: new Int32Array(count),
    scope: new Int32Array(count),
    resources: resources.entries,
    scopes: scopes.entries,
  };
  for (let i = 0; i < count; i++) {
    const row = live[i] as number;
    encoder.encode(row);
    offsets[i + 1] = encoder.out.length;
    spanIds.set(idBytes.subarray(row * 8, row * 8 + 8), i * 8);
    encoded.kinds[i] = view.kind[row] as number;
    for (let half = 0; half < 2; half++) {
      encoded.starts[i * 2 + half] = view.start[row * 2 + half] as number;
      encoded.ends[i * 2 + half] = view.end[row * 2 + half] as number;
    }
    encoded.resource[i] = resources.pick(view.resource[row] as number);
    encoded.scope[i] = scopes.pick(view.scope[row] as number);
  }
  encoded.bytes = encoder.out.take();
  return encoded;
}

/** The entries of a dictionary that are used, numbered anew. */
class Picker {
  readonly entries: Uint8Array[] = [];
  readonly #dictionary: DictionaryView;
  readonly #numbers = new Map<number, number>();

  constructor(dictionary: DictionaryView) {
    this.#dictionary = dictionary;
  }

  pick(code: number): number {
    const known = this.#numbers.get(code);
    if (known !== undefined) return known;
    const number = this.entries.length;
    this.#numbers.set(code, number);
    this.entries.push(entryOf(this.#dictionary, code).slice());
    return number;
  }
}

function entryOf(dictionary: DictionaryView, code: number): Uint8Array {
  return dictionary.bytes.subarray(dictionary.offsets[code], dictionary.offsets[code + 1]);
}

/** Finds values of ascending rows in a sparse column, remembering where the last one was. */
class Cursor {
  readonly column: Pick<SparseColumn, 'count' | 'rows' | 'codes'>;
  #at = 0;

  constructor(column: Pick<SparseColumn, 'count' | 'rows' | 'codes'>) {
    this.column = column;
  }

  /** The code of a row, or -1. */
  code(row: number): number {
    const place = this.place(row);
    return place < 0 ? -1 : (this.column.codes[place] as number);
  }

  /** Where a row stands in the column, or -1. */
  place(row: number): number {
    const { rows, count } = this.column;
    let low = this.#at;
    // Gallop, then halve: rows of one trace lie close together or far apart.
    let step = 1;
    while (low + step < count && (rows[low + step] as number) < row) step *= 2;
    let high = Math.min(count, low + step + 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((rows[middle] as number) < row) low = middle + 1;
      else high = middle;
    }
    this.#at = Math.min(low, Math.max(0, count - 1));
    return low < count && rows[low] === row ? low : -1;
  }
}

class AttributeCursor {
  readonly cursor: Cursor;
  readonly #type: AttributeColumn['type'];
  readonly #dictionary: DictionaryView;
  /** The KeyValue message up to its value: key field and the value's tag. */
  readonly #head: Uint8Array;

  constructor(column: AttributeColumn) {
    this.cursor = new Cursor(column);
    this.#type = column.type;
    this.#dictionary = column.dictionary;
    this.#head = headOf(column.key);
  }

  encode(out: Fragment, tag: number, code: number): void {
    const from = this.#dictionary.offsets[code] as number;
    const to = this.#dictionary.offsets[code + 1] as number;
    const head = this.#head;
    out.addByte(tag);
    switch (this.#type) {
      case 'string': {
        const value = 1 + varintLength(to - from) + to - from;
        out.addVarint(head.length + varintLength(value) + value);
        out.addRaw(head, 0, head.length);
        out.addVarint(value);
        out.addBytes(0x0a, this.#dictionary.bytes, from, to);
        break;
      }
      case 'int': {
        const { bytes } = this.#dictionary;
        const low = wordAt(bytes, from);
        const high = wordAt(bytes, from + 4);
        const value = 1 + varint64Length(low, high);
        out.addVarint(head.length + 1 + value);
        out.addRaw(head, 0, head.length);
        out.addVarint(value);
        out.addByte(0x18);
        out.addVarint64(low, high);
        break;
      }
      case 'double':
        out.addVarint(head.length + 10);
        out.addRaw(head, 0, head.length);
        out.addByte(9);
        out.addByte(0x21);
        out.addRaw(this.#dictionary.bytes, from, to);
        break;
      case 'bool':
        out.addVarint(head.length + 3);
        out.addRaw(head, 0, head.length);
        out.addByte(2);
        out.addByte(0x10);
        out.addRaw(this.#dictionary.bytes, from, to);
        break;
    }
  }
}

/** Of keys met last: every lookup meets the same seventy. */
const heads = new Map<string, Uint8Array>();
const MAX_HEADS = 2048;
const MAX_KEPT_KEY = 128;

function headOf(key: string): Uint8Array {
  const known = heads.get(key);
  if (known !== undefined) return known;
  const bytes = utf8Encode(key);
  const fragment = new Fragment();
  fragment.addBytes(0x0a, bytes, 0, bytes.length);
  fragment.addByte(0x12);
  const head = fragment.take();
  if (heads.size >= MAX_HEADS) heads.clear();
  if (key.length <= MAX_KEPT_KEY) heads.set(key, head);
  return head;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function varint64Length(low: number, high: number): number {
  // What is above the first 28 bits fits a double exactly; the whole does not.
  return high === 0 ? varintLength(low) : 4 + varintLength(high * 16 + (low >>> 28));
}

/** Writes Span messages from columns; rows must come in ascending order. */
class SpanEncoder {
  readonly out = new Fragment();
  readonly #view: ColumnSetView;
  readonly #attributes: AttributeCursor[];
  readonly #statusMessage: Cursor;
  readonly #traceState: Cursor;
  readonly #overflow: Cursor;
  readonly #events: EventEncoder;
  readonly #traceIds: Uint8Array;
  readonly #spanIds: Uint8Array;
  readonly #parentIds: Uint8Array;

  constructor(view: ColumnSetView) {
    this.#view = view;
    this.#attributes = view.attributes.map((column) => new AttributeCursor(column));
    this.#statusMessage = new Cursor(view.statusMessage);
    this.#traceState = new Cursor(view.traceState);
    this.#overflow = new Cursor(view.overflow);
    this.#events = new EventEncoder(view);
    this.#traceIds = view.traceIds;
    this.#spanIds = new Uint8Array(view.spanId.buffer, view.spanId.byteOffset);
    this.#parentIds = new Uint8Array(view.parentId.buffer, view.parentId.byteOffset);
  }

  encode(row: number): void {
    const view = this.#view;
    const out = this.out;
    const trace = view.trace[row] as number;
    out.addBytes(0x0a, this.#traceIds, trace * 16, trace * 16 + 16);
    out.addBytes(0x12, this.#spanIds, row * 8, row * 8 + 8);
    const state = this.#traceState.code(row);
    if (state >= 0) addEntry(out, 0x1a, view.traceState.dictionary, state);
    if (view.parentId[row * 2] !== 0 || view.parentId[row * 2 + 1] !== 0) {
      out.addBytes(0x22, this.#parentIds, row * 8, row * 8 + 8);
    }
    const name = view.name[row] as number;
    if (view.names.offsets[name] !== view.names.offsets[name + 1]) addEntry(out, 0x2a, view.names, name);
    const kind = view.kind[row] as number;
    if (kind !== 0) {
      out.addByte(0x30);
      out.addVarint(kind);
    }
    addTime(out, 0x39, view.start, row);
    addTime(out, 0x41, view.end, row);
    for (const attribute of this.#attributes) {
      const code = attribute.cursor.code(row);
      if (code >= 0) attribute.encode(out, 0x4a, code);
    }
    this.#events.encode(out, row);
    this.#addStatus(row);
    const flags = view.flags[row] as number;
    if (flags !== 0) {
      out.addByte(0x85);
      out.addByte(0x01);
      out.addFixed32(flags);
    }
    const overflow = this.#overflow.code(row);
    if (overflow >= 0) {
      const { bytes, offsets } = view.overflow.dictionary;
      out.addRaw(bytes, offsets[overflow] as number, offsets[overflow + 1] as number);
    }
  }

  /** Always there, also when unset: Grafana's data source fails on a span without it. */
  #addStatus(row: number): void {
    const status = this.#view.status[row] as number;
    const message = this.#statusMessage.code(row);
    const { dictionary } = this.#view.statusMessage;
    const length = message < 0 ? 0 : entryOf(dictionary, message).length;
    const messageField = message < 0 ? 0 : 1 + varintLength(length) + length;
    const codeField = status === 0 ? 0 : 1 + varintLength(status);
    this.out.addByte(0x7a);
    this.out.addVarint(messageField + codeField);
    if (message >= 0) addEntry(this.out, 0x12, dictionary, message);
    if (status !== 0) {
      this.out.addByte(0x18);
      this.out.addVarint(status);
    }
  }
}

const NO_CODES = new Int32Array(0);

class EventEncoder {
  readonly #view: ColumnSetView;
  readonly #attributes: AttributeCursor[];
  readonly #traceState: Cursor;
  readonly #overflow: Cursor;
  readonly #links: Cursor;
  readonly #body = new Fragment();
  /** The first event row not before the last span asked for. */
  #at = 0;

  constructor(view: ColumnSetView) {
    const { events } = view;
    this.#view = view;
    this.#attributes = events.attributes.map((column) => new AttributeCursor(column));
    this.#traceState = new Cursor(events.traceState);
    this.#overflow = new Cursor(events.overflow);
    // Link ids are found by their place: there are no codes.
    this.#links = new Cursor({ count: events.linkCount, rows: events.linkRows, codes: NO_CODES });
  }

  encode(out: Fragment, span: number): void {
    const { events } = this.#view;
    let low = this.#at;
    let high = events.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((events.span[middle] as number) < span) low = middle + 1;
      else high = middle;
    }
    for (; low < events.count && events.span[low] === span; low++) this.#encodeRow(out, low);
    this.#at = low;
  }

  #encodeRow(out: Fragment, row: number): void {
    const { events } = this.#view;
    const body = this.#body;
    const link = events.kind[row] === 1;
    body.clear();
    if (link) {
      const ids = this.#links.place(row);
      if (ids >= 0) {
        body.addBytes(0x0a, events.linkIds, ids * 24, ids * 24 + 16);
        body.addBytes(0x12, events.linkIds, ids * 24 + 16, ids * 24 + 24);
      }
      const state = this.#traceState.code(row);
      if (state >= 0) addEntry(body, 0x1a, events.traceState.dictionary, state);
    } else {
      addTime(body, 0x09, events.time, row);
      const name = events.name[row] as number;
      if (events.names.offsets[name] !== events.names.offsets[name + 1]) addEntry(body, 0x12, events.names, name);
    }
    for (const attribute of this.#attributes) {
      const code = attribute.cursor.code(row);
      if (code >= 0) attribute.encode(body, link ? 0x22 : 0x1a, code);
    }
    const overflow = this.#overflow.code(row);
    if (overflow >= 0) {
      const { bytes, offsets } = events.overflow.dictionary;
      body.addRaw(bytes, offsets[overflow] as number, offsets[overflow + 1] as number);
    }
    out.addBytes(link ? 0x6a : 0x5a, body.source.bytes, 0, body.length);
  }
}

function addEntry(out: Fragment, tag: number, dictionary: DictionaryView, code: number): void {
  out.addBytes(tag, dictionary.bytes, dictionary.offsets[code] as number, dictionary.offsets[code + 1] as number);
}

function addTime(out: Fragment, tag: number, times: Uint32Array, row: number): void {
  const low = times[row * 2] as number;
  const high = times[row * 2 + 1] as number;
  if ((low | high) === 0) return;
  out.addByte(tag);
  out.addFixed64(low, high);
}
