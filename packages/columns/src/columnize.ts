import { dataError, type VivaceError } from '@vivace/kernel';
import type { AttributeTable } from './attribute-table.ts';
import type { Column } from './column.ts';
import type { ColumnSet } from './column-set.ts';
import { Fragment } from './fragment.ts';
import { isLaterResend } from './resend.ts';
import { isUtf8, type Source, sourceOf } from './source.ts';
import { checkKeyValue, checkResource, checkScope, MAX_DEPTH } from './well-formed.ts';

// Hot path: every byte of every span passes here once, on the builder's thread. No objects, closures or
// strings per span or attribute. Benchmark: `npm run bench -- micro`, rows "scan" and "columnise".
//
// The scanner walks an ExportTraceServiceRequest (opentelemetry-proto 1.11) in place and appends straight to a
// column set. Rows are opened dead and brought to life when their span is complete and sound, so a request
// that turns out to be malformed halfway leaves nothing behind but dead rows.

export interface ColumnizeLimits {
  /** Longest attribute (key and value, encoded) of a span. */
  maxAttributeBytes: number;
  /** Encoded bytes that one trace may bring to one column set. */
  maxTraceBytes: number;
}

export interface ColumnizeResult {
  /** Spans stored, resends of spans already there included. */
  accepted: number;
  rejected: number;
  /** Why the first of the rejected ones was, for the sender. */
  reason: string | undefined;
}

// Tags of the fields that have columns: field number << 3 | wire type.
const TRACE_ID = 0x0a;
const SPAN_ID = 0x12;
const TRACE_STATE = 0x1a;
const PARENT_ID = 0x22;
const NAME = 0x2a;
const KIND = 0x30;
const START = 0x39;
const END = 0x41;
const ATTRIBUTE = 0x4a;
const EVENT = 0x5a;
const LINK = 0x6a;
const STATUS = 0x7a;
const FLAGS = 0x85;

// Fields that are known but have no column.
const DROPPED_OF_SPAN: readonly number[] = [0x50, 0x60, 0x70];
const DROPPED_OF_EVENT: readonly number[] = [0x20];
const DROPPED_OR_FLAGS_OF_LINK: readonly number[] = [0x28, 0x35];
const NONE: readonly number[] = [];

const STRING = 0;
const INT = 1;
const DOUBLE = 2;
const BOOL = 3;

/** One scanner a column set; keeps scratch space between requests. */
export class Columnizer {
  readonly #set: ColumnSet;
  readonly #limits: ColumnizeLimits;
  #source: Source = sourceOf(new Uint8Array(0));
  #bytes: Uint8Array = this.#source.bytes;
  #view: DataView = this.#source.view;
  /** Where the last varint or value ended. */
  #next = 0;
  #high = 0;
  readonly #spanOverflow = new Fragment();
  readonly #eventOverflow = new Fragment();
  readonly #owner = new Fragment();
  #result: ColumnizeResult = { accepted: 0, rejected: 0, reason: undefined };
  /** Why the span being scanned cannot be stored. */
  #refusal: string | undefined;

  constructor(set: ColumnSet, limits: ColumnizeLimits) {
    this.#set = set;
    this.#limits = limits;
  }

  /**
   * Appends the spans of an encoded ExportTraceServiceRequest. Throws a `data` error when the bytes are not
   * one; nothing of the request is visible then.
   */
  add(request: Uint8Array): ColumnizeResult {
    this.#source = sourceOf(request);
    this.#bytes = this.#source.bytes;
    this.#view = this.#source.view;
    this.#result = { accepted: 0, rejected: 0, reason: undefined };
    const firstRow = this.#set.count;
    try {
      this.#scanRequest(request.length);
    } catch (error) {
      for (let row = firstRow; row < this.#set.count; row++) this.#set.kill(row);
      throw error;
    }
    return this.#result;
  }

  #scanRequest(end: number): void {
    let at = 0;
    while (at < end) {
      const tag = this.#varint(at, end);
      if (tag === 0x0a) {
        const to = this.#enter(this.#next, end);
        this.#scanResourceSpans(this.#next, to);
        at = to;
      } else at = this.#skipUnknown(tag, this.#next, end, 1, NONE);
    }
  }

  /** ResourceSpans and ScopeSpans have what their spans need after them too (schema_url), so each is read twice. */
  #scanResourceSpans(from: number, end: number): void {
    const owner = this.#owner;
    owner.clear();
    for (let at = from; at < end; ) {
      const tag = this.#varint(at, end);
      const next = this.#skip(tag, this.#next, end);
      if (tag !== 0x12) this.#addOwnerField(tag, at, next);
      at = next;
    }
    const resources = this.#set.resources;
    const known = resources.count;
    const resource = resources.intern(owner.source, 0, owner.length);
    if (resources.count > known && !checkResource(owner.source, owner.length)) {
      resources.removeLast();
      throw malformed('a resource is malformed');
    }
    for (let at = from; at < end; ) {
      const tag = this.#varint(at, end);
      if (tag === 0x12) {
        const to = this.#enter(this.#next, end);
        this.#scanScopeSpans(this.#next, to, resource);
        at = to;
      } else at = this.#skip(tag, this.#next, end);
    }
  }

  #scanScopeSpans(from: number, end: number, resource: number): void {
    const owner = this.#owner;
    owner.clear();
    for (let at = from; at < end; ) {
      const tag = this.#varint(at, end);
      const next = this.#skip(tag, this.#next, end);
      if (tag !== 0x12) this.#addOwnerField(tag, at, next);
      at = next;
    }
    const scopes = this.#set.scopes;
    const known = scopes.count;
    const scope = scopes.intern(owner.source, 0, owner.length);
    if (scopes.count > known && !checkScope(owner.source, owner.length)) {
      scopes.removeLast();
      throw malformed('an instrumentation scope is malformed');
    }
    for (let at = from; at < end; ) {
      const tag = this.#varint(at, end);
      if (tag === 0x12) {
        const to = this.#enter(this.#next, end);
        this.#scanSpan(this.#next, to, resource, scope);
        at = to;
      } else at = this.#skip(tag, this.#next, end);
    }
  }

  /** Resource, scope and schema_url fields as they came, empty ones left out: absent and empty are the same. */
  #addOwnerField(tag: number, from: number, to: number): void {
    if ((tag === 0x0a || tag === 0x1a) && to - from === 2) return;
    this.#owner.addRaw(this.#bytes, from, to);
  }

  #scanSpan(from: number, end: number, resource: number, scope: number): void {
    const set = this.#set;
    const bytes = this.#bytes;
    const view = this.#view;
    const overflow = this.#spanOverflow;
    const row = set.addRow();
    overflow.clear();
    this.#refusal = undefined;
    let traceIdAt = -1;
    let spanIdAt = -1;
    let parentAt = -1;
    let nameAt = -1;
    let nameEnd = 0;
    let traceStateAt = -1;
    let traceStateEnd = 0;
    let messageAt = -1;
    let messageEnd = 0;
    let status = 0;
    let kind = 0;
    let flags = 0;
    let startLow = 0;
    let startHigh = 0;
    let endLow = 0;
    let endHigh = 0;
    let at = from;
    while (at < end) {
      const fieldAt = at;
      let tag = bytes[at] as number;
      if (tag < 128) {
        at++;
        this.#high = 0;
      } else {
        tag = this.#varint(at, end);
        at = this.#next;
      }
      switch (tag) {
        case ATTRIBUTE: {
          const to = this.#enter(at, end);
          this.#scanAttribute(set.attributes, row, this.#next, to, overflow, ATTRIBUTE);
          at = to;
          break;
        }
        case TRACE_ID: {
          const to = this.#enter(at, end);
          if (to - this.#next === 16) traceIdAt = this.#next;
          else this.#refuse(`trace ids must be 16 bytes, received ${to - this.#next}`);
          at = to;
          break;
        }
        case SPAN_ID: {
          const to = this.#enter(at, end);
          if (to - this.#next === 8) spanIdAt = this.#next;
          else this.#refuse(`span ids must be 8 bytes, received ${to - this.#next}`);
          at = to;
          break;
        }
        case PARENT_ID: {
          const to = this.#enter(at, end);
          const length = to - this.#next;
          parentAt = -1;
          if (length === 8 && (view.getInt32(this.#next, true) | view.getInt32(this.#next + 4, true)) !== 0) {
            parentAt = this.#next;
          } else if (length > 0) overflow.addRaw(bytes, fieldAt, to);
          at = to;
          break;
        }
        case NAME: {
          const to = this.#enter(at, end);
          nameAt = this.#next;
          nameEnd = to;
          at = to;
          break;
        }
        case TRACE_STATE: {
          const to = this.#enter(at, end);
          traceStateAt = this.#next;
          traceStateEnd = to;
          at = to;
          break;
        }
        case KIND: {
          kind = this.#varint(at, end);
          at = this.#next;
          if (kind > 255 || this.#high !== 0) {
            kind = 0;
            overflow.addRaw(bytes, fieldAt, at);
          }
          break;
        }
        case START: {
          at = this.#fixed(at, 8, end);
          startLow = view.getUint32(at - 8, true);
          startHigh = view.getUint32(at - 4, true);
          break;
        }
        case END: {
          at = this.#fixed(at, 8, end);
          endLow = view.getUint32(at - 8, true);
          endHigh = view.getUint32(at - 4, true);
          break;
        }
        case FLAGS: {
          at = this.#fixed(at, 4, end);
          flags = view.getUint32(at - 4, true);
          break;
        }
        case STATUS: {
          const to = this.#enter(at, end);
          let exact = true;
          for (let p = this.#next; p < to; ) {
            const inner = this.#varint(p, to);
            if (inner === 0x12) {
              const messageTo = this.#enter(this.#next, to);
              messageAt = this.#next;
              messageEnd = messageTo;
              p = messageTo;
            } else if (inner === 0x18) {
              status = this.#varint(this.#next, to);
              if (status > 255 || this.#high !== 0) {
                status = 0;
                exact = false;
              }
              p = this.#next;
            } else {
              p = this.#skipUnknown(inner, this.#next, to, 3, NONE);
              exact = false;
            }
          }
          if (!exact) overflow.addRaw(bytes, fieldAt, to);
          at = to;
          break;
        }
        case EVENT: {
          const to = this.#enter(at, end);
          this.#scanEvent(row, this.#next, to);
          at = to;
          break;
        }
        case LINK: {
          const to = this.#enter(at, end);
          this.#scanLink(row, this.#next, to);
          at = to;
          break;
        }
        default: {
          at = this.#skipUnknown(tag, at, end, 16, DROPPED_OF_SPAN);
          // Dropped counts and fields that are not known here; zero counts are the same as absent ones.
          if (!((tag === 0x50 || tag === 0x60 || tag === 0x70) && bytes[at - 1] === 0 && at - fieldAt === 2)) {
            overflow.addRaw(bytes, fieldAt, at);
          }
        }
      }
    }
    if (this.#refusal === undefined) this.#checkIds(traceIdAt, spanIdAt);
    if (this.#refusal !== undefined) return this.#reject(this.#refusal);
    const a = view.getInt32(traceIdAt, true);
    const b = view.getInt32(traceIdAt + 4, true);
    const c = view.getInt32(traceIdAt + 8, true);
    const d = view.getInt32(traceIdAt + 12, true);
    const trace = set.traces.intern(a, b, c, d);
    if (set.traces.bytesOf(trace) + (end - from) > this.#limits.maxTraceBytes) {
      return this.#reject(`the trace is larger than limits.max_trace_bytes (${this.#limits.maxTraceBytes})`);
    }
    set.trace[row] = trace;
    set.spanId[row * 2] = view.getInt32(spanIdAt, true);
    set.spanId[row * 2 + 1] = view.getInt32(spanIdAt + 4, true);
    set.parentId[row * 2] = parentAt < 0 ? 0 : view.getInt32(parentAt, true);
    set.parentId[row * 2 + 1] = parentAt < 0 ? 0 : view.getInt32(parentAt + 4, true);
    set.start[row * 2] = startLow;
    set.start[row * 2 + 1] = startHigh;
    set.end[row * 2] = endLow;
    set.end[row * 2 + 1] = endHigh;
    set.kind[row] = kind;
    set.status[row] = status;
    set.flags[row] = flags;
    set.resource[row] = resource;
    set.scope[row] = scope;
    const source = this.#source;
    set.name[row] = 0;
    if (nameAt >= 0 && !this.#internText(nameAt, nameEnd)) overflow.addBytes(NAME, bytes, nameAt, nameEnd);
    set.name[row] = this.#code;
    if (nameAt < 0) set.name[row] = set.names.intern(source, 0, 0);
    if (messageAt >= 0 && messageEnd > messageAt && !this.#pushText(set.statusMessage, row, messageAt, messageEnd)) {
      overflow.addNested(STATUS, 0x12, bytes, messageAt, messageEnd);
    }
    if (
      traceStateAt >= 0 &&
      traceStateEnd > traceStateAt &&
      !this.#pushText(set.traceState, row, traceStateAt, traceStateEnd)
    ) {
      overflow.addBytes(TRACE_STATE, bytes, traceStateAt, traceStateEnd);
    }
    if (overflow.length > 0) {
      set.overflow.push(row, set.overflow.dictionary.intern(overflow.source, 0, overflow.length));
    }
    set.traces.addRow(trace, row, end - from);
    this.#admit(row);
  }

  /** Brings a complete row to life, unless the same span is there already and wins. */
  #admit(row: number): void {
    const set = this.#set;
    this.#result.accepted++;
    set.revive(row);
    const other = set.spans.findOrAdd(set, row);
    if (other < 0) return;
    if (set.dead[other] === 1 || isLaterResend(set, other, row)) {
      set.kill(other);
      set.spans.replace(set, row);
    } else set.kill(row);
  }

  #checkIds(traceIdAt: number, spanIdAt: number): void {
    const view = this.#view;
    if (traceIdAt < 0) return this.#refuse('trace ids must be 16 bytes, received 0');
    if (spanIdAt < 0) return this.#refuse('span ids must be 8 bytes, received 0');
    const traceBits =
      view.getInt32(traceIdAt, true) |
      view.getInt32(traceIdAt + 4, true) |
      view.getInt32(traceIdAt + 8, true) |
      view.getInt32(traceIdAt + 12, true);
    if (traceBits === 0) return this.#refuse('trace ids must not be all zero');
    if ((view.getInt32(spanIdAt, true) | view.getInt32(spanIdAt + 4, true)) === 0) {
      this.#refuse('span ids must not be all zero');
    }
  }

  #refuse(reason: string): void {
    this.#refusal ??= reason;
  }

  #reject(reason: string): void {
    this.#result.rejected++;
    this.#result.reason ??= reason;
  }

  #code = 0;

  /** Interns a span name; false where it is not UTF-8 (its code is then that of the empty name). */
  #internText(from: number, to: number): boolean {
    const names = this.#set.names;
    const known = names.count;
    this.#code = names.intern(this.#source, from, to);
    if (names.count === known || isUtf8(this.#source, from, to)) return true;
    names.removeLast();
    this.#code = names.intern(this.#source, 0, 0);
    return false;
  }

  /** Adds a text to a column; false, and nothing added, where it is not UTF-8. */
  #pushText(column: Column, row: number, from: number, to: number): boolean {
    const dictionary = column.dictionary;
    const known = dictionary.count;
    const code = dictionary.intern(this.#source, from, to);
    if (dictionary.count > known && !isUtf8(this.#source, from, to)) {
      dictionary.removeLast();
      return false;
    }
    column.push(row, code);
    return true;
  }

  /**
   * One KeyValue message. The form that encoders write (key, then a value with one scalar field) goes to its
   * column; everything else as it is to the overflow, once it is known to be well-formed.
   */
  #scanAttribute(table: AttributeTable, row: number, from: number, end: number, overflow: Fragment, tag: number): void {
    if (end - from > this.#limits.maxAttributeBytes) {
      this.#refuse(`an attribute is larger than limits.max_attribute_bytes (${this.#limits.maxAttributeBytes})`);
    }
    if (!this.#storeAttribute(table, row, from, end)) {
      if (!checkKeyValue(this.#source, from, end, MAX_DEPTH)) throw malformed('an attribute is malformed');
      overflow.addBytes(tag, this.#bytes, from, end);
      this.#markKey(table, row, from, end);
    }
  }

  /** The row has the key of this KeyValue in its overflow now: further ones must follow it there to keep their order. */
  #markKey(table: AttributeTable, row: number, from: number, end: number): void {
    for (let at = from; at < end; ) {
      const tag = this.#varint(at, end);
      const next = this.#skip(tag, this.#next, end);
      if (tag === 0x0a) {
        this.#enter(at + 1, end);
        const key = table.find(this.#source, this.#next, next);
        if (key !== undefined) key.lastRow = row;
      }
      at = next;
    }
  }

  #storeAttribute(table: AttributeTable, row: number, from: number, end: number): boolean {
    const bytes = this.#bytes;
    const source = this.#source;
    if (from + 2 > end || bytes[from] !== 0x0a) return false;
    let at = from + 1;
    let length = bytes[at++] as number;
    if (length > 127) {
      length = this.#varint(at - 1, end);
      at = this.#next;
    }
    const keyAt = at;
    const keyEnd = at + length;
    at = keyEnd;
    if (at + 4 > end || bytes[at] !== 0x12) return false;
    length = bytes[at + 1] as number;
    at += 2;
    if (length > 127) {
      length = this.#varint(at - 1, end);
      at = this.#next;
    }
    // The value must end where the KeyValue ends.
    if (at + length !== end || length < 2) return false;
    const type = bytes[at++] as number;
    if (type === 0x0a) {
      length = bytes[at++] as number;
      if (length > 127) {
        length = this.#varint(at - 1, end);
        at = this.#next;
      }
      if (at + length !== end) return false;
      const key = table.find(source, keyAt, keyEnd);
      if (key === undefined || key.lastRow === row) return false;
      const column = key.columns[STRING] ?? table.column(key, STRING);
      if (column === undefined || !this.#pushText(column, row, at, end)) return false;
      key.lastRow = row;
      return true;
    }
    let low: number;
    let high = 0;
    let kind: number;
    if (type === 0x18 || type === 0x10) {
      low = this.#varint(at, end);
      high = this.#high;
      if (this.#next !== end) return false;
      kind = type === 0x18 ? INT : BOOL;
    } else if (type === 0x21 && at + 8 === end) {
      low = this.#view.getInt32(at, true);
      high = this.#view.getInt32(at + 4, true);
      kind = DOUBLE;
    } else return false;
    const key = table.find(source, keyAt, keyEnd);
    if (key === undefined || key.lastRow === row) return false;
    const column = key.columns[kind] ?? table.column(key, kind);
    if (column === undefined) return false;
    const dictionary = column.dictionary;
    const code =
      kind === BOOL
        ? (low | high) === 0
          ? dictionary.intern(FALSE, 0, 1)
          : dictionary.intern(TRUE, 0, 1)
        : dictionary.intern64(low | 0, high | 0);
    column.push(row, code);
    key.lastRow = row;
    return true;
  }

  #scanEvent(span: number, from: number, end: number): void {
    const events = this.#set.events;
    const bytes = this.#bytes;
    const overflow = this.#eventOverflow;
    const row = events.add(span, 0);
    overflow.clear();
    let nameAt = -1;
    let nameEnd = 0;
    for (let at = from; at < end; ) {
      const fieldAt = at;
      const tag = this.#varint(at, end);
      at = this.#next;
      if (tag === 0x1a) {
        const to = this.#enter(at, end);
        this.#scanAttribute(events.attributes, row, this.#next, to, overflow, 0x1a);
        at = to;
      } else if (tag === 0x09) {
        at = this.#fixed(at, 8, end);
        events.time[row * 2] = this.#view.getUint32(at - 8, true);
        events.time[row * 2 + 1] = this.#view.getUint32(at - 4, true);
      } else if (tag === 0x12) {
        const to = this.#enter(at, end);
        nameAt = this.#next;
        nameEnd = to;
        at = to;
      } else {
        at = this.#skipUnknown(tag, at, end, 4, DROPPED_OF_EVENT);
        if (!(tag === 0x20 && bytes[at - 1] === 0 && at - fieldAt === 2)) overflow.addRaw(bytes, fieldAt, at);
      }
    }
    const names = events.names;
    let code = names.intern(this.#source, 0, 0);
    if (nameAt >= 0) {
      const known = names.count;
      const named = names.intern(this.#source, nameAt, nameEnd);
      if (names.count === known || isUtf8(this.#source, nameAt, nameEnd)) code = named;
      else {
        names.removeLast();
        overflow.addBytes(0x12, bytes, nameAt, nameEnd);
      }
    }
    events.name[row] = code;
    this.#pushEventOverflow(row);
  }

  #scanLink(span: number, from: number, end: number): void {
    const events = this.#set.events;
    const bytes = this.#bytes;
    const overflow = this.#eventOverflow;
    const row = events.add(span, 1);
    overflow.clear();
    let traceIdAt = -1;
    let traceIdEnd = 0;
    let spanIdAt = -1;
    let spanIdEnd = 0;
    let stateAt = -1;
    let stateEnd = 0;
    for (let at = from; at < end; ) {
      const fieldAt = at;
      const tag = this.#varint(at, end);
      at = this.#next;
      if (tag === 0x22) {
        const to = this.#enter(at, end);
        this.#scanAttribute(events.attributes, row, this.#next, to, overflow, 0x22);
        at = to;
      } else if (tag === 0x0a || tag === 0x12 || tag === 0x1a) {
        const to = this.#enter(at, end);
        if (tag === 0x0a) {
          traceIdAt = this.#next;
          traceIdEnd = to;
        } else if (tag === 0x12) {
          spanIdAt = this.#next;
          spanIdEnd = to;
        } else {
          stateAt = this.#next;
          stateEnd = to;
        }
        at = to;
      } else {
        at = this.#skipUnknown(tag, at, end, 6, DROPPED_OR_FLAGS_OF_LINK);
        if (!(tag === 0x28 && bytes[at - 1] === 0 && at - fieldAt === 2)) overflow.addRaw(bytes, fieldAt, at);
      }
    }
    if (traceIdEnd - traceIdAt === 16 && spanIdEnd - spanIdAt === 8 && traceIdAt >= 0 && spanIdAt >= 0) {
      events.addLink(row, bytes, traceIdAt, spanIdAt);
    } else {
      if (traceIdAt >= 0 && traceIdEnd > traceIdAt) overflow.addBytes(0x0a, bytes, traceIdAt, traceIdEnd);
      if (spanIdAt >= 0 && spanIdEnd > spanIdAt) overflow.addBytes(0x12, bytes, spanIdAt, spanIdEnd);
    }
    if (stateAt >= 0 && stateEnd > stateAt && !this.#pushText(events.traceState, row, stateAt, stateEnd)) {
      overflow.addBytes(0x1a, bytes, stateAt, stateEnd);
    }
    this.#pushEventOverflow(row);
  }

  #pushEventOverflow(row: number): void {
    const overflow = this.#eventOverflow;
    if (overflow.length === 0) return;
    const column = this.#set.events.overflow;
    column.push(row, column.dictionary.intern(overflow.source, 0, overflow.length));
  }

  /** A varint: the low 32 bits, unsigned; `#high` has the high ones and `#next` the place after it. */
  #varint(at: number, end: number): number {
    const bytes = this.#bytes;
    this.#high = 0;
    if (at < end) {
      const byte = bytes[at] as number;
      if (byte < 128) {
        this.#next = at + 1;
        return byte;
      }
    }
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw malformed('a varint is cut off');
      const byte = bytes[at++] as number;
      const bits = byte & 127;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 128) {
        this.#next = at;
        this.#high = high;
        return low >>> 0;
      }
    }
    throw malformed('a varint is longer than 10 bytes');
  }

  /** The length of a nested message at `at`: returns its end, `#next` is its start. */
  #enter(at: number, end: number): number {
    const length = this.#varint(at, end);
    const to = this.#next + length;
    if (to > end || this.#high !== 0) throw malformed('a length goes beyond the end of its message');
    return to;
  }

  #fixed(at: number, size: number, end: number): number {
    if (at + size > end) throw malformed('a fixed-size field is cut off');
    return at + size;
  }

  /** As `#skip`, for a field without a column: a known number with another wire type than it must have is malformed. */
  #skipUnknown(tag: number, at: number, end: number, highestKnown: number, allowed: readonly number[]): number {
    if (tag >>> 3 <= highestKnown && !allowed.includes(tag)) throw malformed('a field has the wrong wire type');
    return this.#skip(tag, at, end);
  }

  /** The place after a field whose tag was just read. */
  #skip(tag: number, at: number, end: number): number {
    if (tag < 8 || this.#high !== 0) throw malformed('a field has number 0 or too large a one');
    switch (tag & 7) {
      case 0:
        this.#varint(at, end);
        return this.#next;
      case 1:
        return this.#fixed(at, 8, end);
      case 2:
        return this.#enter(at, end);
      case 5:
        return this.#fixed(at, 4, end);
      default:
        throw malformed('a field has an unknown wire type');
    }
  }
}

const FALSE = sourceOf(new Uint8Array([0]));
const TRUE = sourceOf(new Uint8Array([1]));

function malformed(what: string): VivaceError {
  return dataError('otlp-malformed', `the request is not an OTLP trace export: ${what}`);
}
