import { AttributeScanner } from './attribute-scanner.ts';
import type { EventTable } from './event-table.ts';
import { Fragment } from './fragment.ts';
import { isUtf8 } from './source.ts';

// Hot path, see columnize.ts.

// Fields that are known but have no column.
const DROPPED_OF_EVENT: readonly number[] = [0x20];
const DROPPED_OR_FLAGS_OF_LINK: readonly number[] = [0x28, 0x35];

/** Puts the events and links of spans into their table. */
export class EventScanner extends AttributeScanner {
  readonly #events: EventTable;
  readonly #overflow = new Fragment();

  constructor(events: EventTable, maxAttributeBytes: number) {
    super(maxAttributeBytes);
    this.#events = events;
  }

  protected scanEvent(span: number, from: number, end: number): void {
    const events = this.#events;
    const bytes = this.bytes;
    const overflow = this.#overflow;
    const row = events.add(span, 0);
    overflow.clear();
    let nameAt = -1;
    let nameEnd = 0;
    let counted = false;
    for (let at = from; at < end; ) {
      const fieldAt = at;
      const tag = this.tag(at, end);
      at = this.next;
      if (tag === 0x1a) {
        const to = this.enter(at, end);
        this.scanAttribute(events.attributes, row, this.next, to, overflow, 0x1a);
        at = to;
      } else if (tag === 0x09) {
        at = this.fixed(at, 8, end);
        events.time[row * 2] = this.view.getUint32(at - 8, true);
        events.time[row * 2 + 1] = this.view.getUint32(at - 4, true);
      } else if (tag === 0x12) {
        const to = this.enter(at, end);
        nameAt = this.next;
        nameEnd = to;
        at = to;
      } else {
        at = this.skipUnknown(tag, at, end, 4, DROPPED_OF_EVENT);
        // Zero is the same as nothing, but where another count came before it.
        if (tag === 0x20 && bytes[at - 1] === 0 && at - fieldAt === 2 && !counted) continue;
        if (tag === 0x20) counted = true;
        overflow.addRaw(bytes, fieldAt, at);
      }
    }
    const names = events.names;
    let code = names.intern(this.source, 0, 0);
    if (nameAt >= 0) {
      const known = names.count;
      const named = names.intern(this.source, nameAt, nameEnd);
      if (names.count === known || isUtf8(this.source, nameAt, nameEnd)) code = named;
      else {
        names.removeLast();
        overflow.addBytes(0x12, bytes, nameAt, nameEnd);
      }
    }
    events.name[row] = code;
    this.#pushEventOverflow(row);
  }

  protected scanLink(span: number, from: number, end: number): void {
    const events = this.#events;
    const bytes = this.bytes;
    const overflow = this.#overflow;
    const row = events.add(span, 1);
    overflow.clear();
    let traceIdAt = -1;
    let traceIdEnd = 0;
    let spanIdAt = -1;
    let spanIdEnd = 0;
    let stateAt = -1;
    let stateEnd = 0;
    let counted = false;
    for (let at = from; at < end; ) {
      const fieldAt = at;
      const tag = this.tag(at, end);
      at = this.next;
      if (tag === 0x22) {
        const to = this.enter(at, end);
        this.scanAttribute(events.attributes, row, this.next, to, overflow, 0x22);
        at = to;
      } else if (tag === 0x0a || tag === 0x12 || tag === 0x1a) {
        const to = this.enter(at, end);
        if (tag === 0x0a) {
          traceIdAt = this.next;
          traceIdEnd = to;
        } else if (tag === 0x12) {
          spanIdAt = this.next;
          spanIdEnd = to;
        } else {
          stateAt = this.next;
          stateEnd = to;
        }
        at = to;
      } else {
        at = this.skipUnknown(tag, at, end, 6, DROPPED_OR_FLAGS_OF_LINK);
        if (tag === 0x28 && bytes[at - 1] === 0 && at - fieldAt === 2 && !counted) continue;
        if (tag === 0x28) counted = true;
        overflow.addRaw(bytes, fieldAt, at);
      }
    }
    if (traceIdEnd - traceIdAt === 16 && spanIdEnd - spanIdAt === 8 && traceIdAt >= 0 && spanIdAt >= 0) {
      events.addLink(row, bytes, traceIdAt, spanIdAt);
    } else {
      if (traceIdAt >= 0 && traceIdEnd > traceIdAt) overflow.addBytes(0x0a, bytes, traceIdAt, traceIdEnd);
      if (spanIdAt >= 0 && spanIdEnd > spanIdAt) overflow.addBytes(0x12, bytes, spanIdAt, spanIdEnd);
    }
    if (stateAt >= 0 && stateEnd > stateAt && !this.pushText(events.traceState, row, stateAt, stateEnd)) {
      overflow.addBytes(0x1a, bytes, stateAt, stateEnd);
    }
    this.#pushEventOverflow(row);
  }

  #pushEventOverflow(row: number): void {
    const overflow = this.#overflow;
    if (overflow.length === 0) return;
    const column = this.#events.overflow;
    column.push(row, column.dictionary.intern(overflow.source, 0, overflow.length));
  }
}
