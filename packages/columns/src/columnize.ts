import type { ColumnSet } from './column-set.ts';
import { EventScanner } from './event-scanner.ts';
import { Fragment } from './fragment.ts';
import { Owner } from './owner.ts';
import { settleResends } from './resend.ts';
import { isUtf8 } from './source.ts';
import { checkResource, checkScope } from './well-formed.ts';
import { malformed } from './wire-scanner.ts';

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

// Of ResourceSpans and ScopeSpans: resource or scope, and what is of it.
const MESSAGE_OF_OWNER = 0x0a;
const OWNED = 0x12;
const SCHEMA_URL = 0x1a;

// Fields that are known but have no column.
const DROPPED_OF_SPAN: readonly number[] = [0x50, 0x60, 0x70];
const NONE: readonly number[] = [];

/** One scanner a column set; keeps scratch space between requests. */
export class Columnizer extends EventScanner {
  readonly #set: ColumnSet;
  readonly #maxTraceBytes: number;
  readonly #spanOverflow = new Fragment();
  readonly #resource = new Owner();
  readonly #scope = new Owner();
  #result: ColumnizeResult = { accepted: 0, rejected: 0, reason: undefined };

  constructor(set: ColumnSet, limits: ColumnizeLimits) {
    super(set.events, limits.maxAttributeBytes);
    this.#set = set;
    this.#maxTraceBytes = limits.maxTraceBytes;
  }

  /**
   * Appends the spans of an encoded ExportTraceServiceRequest. Throws a `data` error when the bytes are not
   * one; nothing of the request is visible then.
   */
  add(request: Uint8Array): ColumnizeResult {
    this.open(request);
    this.#result = { accepted: 0, rejected: 0, reason: undefined };
    const firstRow = this.#set.count;
    try {
      this.#scanRequest(request.length);
      const resends = this.#set.spans.enter(this.#set, firstRow, this.#set.count);
      if (resends.length > 0) settleResends(this.#set, resends);
    } catch (error) {
      for (let row = firstRow; row < this.#set.count; row++) this.#set.kill(row);
      throw error;
    }
    return this.#result;
  }

  #scanRequest(end: number): void {
    let at = 0;
    while (at < end) {
      const tag = this.tag(at, end);
      if (tag === 0x0a) {
        const to = this.enter(this.next, end);
        this.#scanResourceSpans(this.next, to);
        at = to;
      } else at = this.skipUnknown(tag, this.next, end, 1, NONE);
    }
  }

  #scanResourceSpans(from: number, end: number): void {
    const set = this.#set;
    const owner = this.#resource;
    const firstRow = set.count;
    owner.begin(this.source);
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      if (tag === OWNED) {
        const to = this.enter(this.next, end);
        this.#scanScopeSpans(this.next, to);
        at = to;
      } else at = this.#addField(owner, tag, at, end);
    }
    const code = owner.internIn(set.resources, checkResource);
    if (code === undefined) throw malformed('a resource is malformed');
    // What comes after the spans is theirs too (schema_url).
    for (let row = firstRow; row < set.count; row++) set.resource[row] = code;
  }

  #scanScopeSpans(from: number, end: number): void {
    const set = this.#set;
    const owner = this.#scope;
    const firstRow = set.count;
    owner.begin(this.source);
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      if (tag === OWNED) {
        const to = this.enter(this.next, end);
        this.#scanSpan(this.next, to);
        at = to;
      } else at = this.#addField(owner, tag, at, end);
    }
    const code = owner.internIn(set.scopes, checkScope);
    if (code === undefined) throw malformed('an instrumentation scope is malformed');
    for (let row = firstRow; row < set.count; row++) set.scope[row] = code;
  }

  /**
   * A field whose tag was read; returns where it ends. Empty ones are left out, absent and empty are the same; but one that
   * comes after another is the one that counts.
   */
  #addField(owner: Owner, tag: number, at: number, end: number): number {
    const next = this.skip(tag, this.next, end);
    const isEmpty = next - at === 2;
    if (isEmpty && (tag === MESSAGE_OF_OWNER || (tag === SCHEMA_URL && !owner.hasSchemaUrl))) return next;
    if (tag === SCHEMA_URL) owner.hasSchemaUrl = true;
    owner.add(at, next);
    return next;
  }

  #scanSpan(from: number, end: number): void {
    const set = this.#set;
    const bytes = this.bytes;
    const view = this.view;
    const overflow = this.#spanOverflow;
    const row = set.addRow();
    // Nothing but the row itself has the row's number.
    let bare = true;
    overflow.clear();
    this.refusal = undefined;
    let traceIdAt = 0;
    let traceIdLength = 0;
    let spanIdAt = 0;
    let spanIdLength = 0;
    let parentAt = -1;
    let nameAt = -1;
    let nameEnd = 0;
    let traceStateAt = -1;
    let traceStateEnd = 0;
    let messageAt = -1;
    let messageEnd = 0;
    let status = 0;
    let kind = 0;
    // Of a field that may be there once the last one counts, whatever those before it were.
    let oddKindAt = -1;
    let oddKindEnd = 0;
    let oddParentAt = -1;
    let oddParentEnd = 0;
    // A status was seen that no column can hold; and which dropped counts were, one bit each.
    let oddStatus = false;
    let counted = 0;
    let flags = 0;
    let startLow = 0;
    let startHigh = 0;
    let endLow = 0;
    let endHigh = 0;
    let at = from;
    while (at < end) {
      const fieldAt = at;
      let tag = bytes[at] as number;
      if (tag < 128) at++;
      else {
        tag = this.tag(at, end);
        at = this.next;
      }
      switch (tag) {
        case ATTRIBUTE: {
          const to = this.enter(at, end);
          if (this.scanAttribute(set.attributes, row, this.next, to, overflow, ATTRIBUTE)) bare = false;
          at = to;
          break;
        }
        case TRACE_ID: {
          const to = this.enter(at, end);
          traceIdAt = this.next;
          traceIdLength = to - traceIdAt;
          at = to;
          break;
        }
        case SPAN_ID: {
          const to = this.enter(at, end);
          spanIdAt = this.next;
          spanIdLength = to - spanIdAt;
          at = to;
          break;
        }
        case PARENT_ID: {
          const to = this.enter(at, end);
          const length = to - this.next;
          parentAt = -1;
          oddParentAt = -1;
          if (length === 8 && (view.getInt32(this.next, true) | view.getInt32(this.next + 4, true)) !== 0) {
            parentAt = this.next;
          } else if (length > 0) {
            oddParentAt = fieldAt;
            oddParentEnd = to;
          }
          at = to;
          break;
        }
        case NAME: {
          const to = this.enter(at, end);
          nameAt = this.next;
          nameEnd = to;
          at = to;
          break;
        }
        case TRACE_STATE: {
          const to = this.enter(at, end);
          traceStateAt = this.next;
          traceStateEnd = to;
          at = to;
          break;
        }
        case KIND: {
          kind = this.varint(at, end);
          at = this.next;
          oddKindAt = -1;
          if (kind > 255 || this.high !== 0) {
            kind = 0;
            oddKindAt = fieldAt;
            oddKindEnd = at;
          }
          break;
        }
        case START: {
          at = this.fixed(at, 8, end);
          startLow = view.getUint32(at - 8, true);
          startHigh = view.getUint32(at - 4, true);
          break;
        }
        case END: {
          at = this.fixed(at, 8, end);
          endLow = view.getUint32(at - 8, true);
          endHigh = view.getUint32(at - 4, true);
          break;
        }
        case FLAGS: {
          at = this.fixed(at, 4, end);
          flags = view.getUint32(at - 4, true);
          break;
        }
        case STATUS: {
          const to = this.enter(at, end);
          for (let p = this.next; p < to; ) {
            const inner = this.tag(p, to);
            if (inner === 0x12) {
              const messageTo = this.enter(this.next, to);
              messageAt = this.next;
              messageEnd = messageTo;
              p = messageTo;
            } else if (inner === 0x18) {
              status = this.varint(this.next, to);
              if (status > 255 || this.high !== 0) {
                status = 0;
                oddStatus = true;
              }
              p = this.next;
            } else {
              p = this.skipUnknown(inner, this.next, to, 3, NONE);
              oddStatus = true;
            }
          }
          // Statuses merge: those after an odd one are merged into it.
          if (oddStatus) overflow.addRaw(bytes, fieldAt, to);
          at = to;
          break;
        }
        case EVENT: {
          const to = this.enter(at, end);
          bare = false;
          this.scanEvent(row, this.next, to);
          at = to;
          break;
        }
        case LINK: {
          const to = this.enter(at, end);
          bare = false;
          this.scanLink(row, this.next, to);
          at = to;
          break;
        }
        default: {
          at = this.skipUnknown(tag, at, end, 16, DROPPED_OF_SPAN);
          // Dropped counts and fields that are not known here; zero counts are the same as absent ones.
          const isCount = tag === 0x50 || tag === 0x60 || tag === 0x70;
          if (isCount && bytes[at - 1] === 0 && at - fieldAt === 2 && (counted & (1 << (tag >> 4))) === 0) break;
          if (isCount) counted |= 1 << (tag >> 4);
          overflow.addRaw(bytes, fieldAt, at);
        }
      }
    }
    if (traceIdLength !== 16) this.refuse(`trace ids must be 16 bytes, received ${traceIdLength}`);
    else if (spanIdLength !== 8) this.refuse(`span ids must be 8 bytes, received ${spanIdLength}`);
    else this.#checkIds(traceIdAt, spanIdAt);
    if (this.refusal !== undefined) {
      // A refused span may take two bytes of a request; its row takes sixty.
      if (bare) set.takeBackRow();
      return this.#reject(this.refusal);
    }
    const a = view.getInt32(traceIdAt, true);
    const b = view.getInt32(traceIdAt + 4, true);
    const c = view.getInt32(traceIdAt + 8, true);
    const d = view.getInt32(traceIdAt + 12, true);
    const trace = set.traces.intern(a, b, c, d);
    if (set.traces.bytesOf(trace) + (end - from) > this.#maxTraceBytes) {
      return this.#reject(`the trace is larger than limits.max_trace_bytes (${this.#maxTraceBytes})`);
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
    if (oddKindAt >= 0) overflow.addRaw(bytes, oddKindAt, oddKindEnd);
    if (oddParentAt >= 0) overflow.addRaw(bytes, oddParentAt, oddParentEnd);
    const source = this.source;
    set.name[row] = 0;
    if (nameAt >= 0 && !this.#internText(nameAt, nameEnd)) overflow.addBytes(NAME, bytes, nameAt, nameEnd);
    set.name[row] = this.#code;
    if (nameAt < 0) set.name[row] = set.names.intern(source, 0, 0);
    if (messageAt >= 0 && messageEnd > messageAt && !this.pushText(set.statusMessage, row, messageAt, messageEnd)) {
      overflow.addNested(STATUS, 0x12, bytes, messageAt, messageEnd);
    }
    if (
      traceStateAt >= 0 &&
      traceStateEnd > traceStateAt &&
      !this.pushText(set.traceState, row, traceStateAt, traceStateEnd)
    ) {
      overflow.addBytes(TRACE_STATE, bytes, traceStateAt, traceStateEnd);
    }
    if (overflow.length > 0) {
      set.overflow.push(row, set.overflow.dictionary.intern(overflow.source, 0, overflow.length));
    }
    set.traces.addRow(trace, row, end - from);
    // Whether this or a span that is there already stays is settled when the request is complete.
    this.#result.accepted++;
    set.revive(row);
  }

  #checkIds(traceIdAt: number, spanIdAt: number): void {
    const view = this.view;
    const traceBits =
      view.getInt32(traceIdAt, true) |
      view.getInt32(traceIdAt + 4, true) |
      view.getInt32(traceIdAt + 8, true) |
      view.getInt32(traceIdAt + 12, true);
    if (traceBits === 0) return this.refuse('trace ids must not be all zero');
    if ((view.getInt32(spanIdAt, true) | view.getInt32(spanIdAt + 4, true)) === 0) {
      this.refuse('span ids must not be all zero');
    }
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
    this.#code = names.intern(this.source, from, to);
    if (names.count === known || isUtf8(this.source, from, to)) return true;
    names.removeLast();
    this.#code = names.intern(this.source, 0, 0);
    return false;
  }
}
