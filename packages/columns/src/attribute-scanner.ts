import type { AttributeTable } from './attribute-table.ts';
import type { Column } from './column.ts';
import type { Fragment } from './fragment.ts';
import { isUtf8, sourceOf } from './source.ts';
import { checkKeyValue, MAX_DEPTH } from './well-formed.ts';
import { MAX_SHORT_BYTES, malformed, WireScanner } from './wire-scanner.ts';

// Hot path, see columnize.ts.

const STRING = 0;
const INT = 1;
const DOUBLE = 2;
const BOOL = 3;

const FALSE = sourceOf(new Uint8Array([0]));
const TRUE = sourceOf(new Uint8Array([1]));

/** Puts attributes into the columns of a table, and what no column can hold into an overflow fragment. */
export class AttributeScanner extends WireScanner {
  readonly #maxAttributeBytes: number;
  /** Why the span being scanned cannot be stored. */
  protected refusal: string | undefined;

  constructor(maxAttributeBytes: number) {
    super();
    this.#maxAttributeBytes = maxAttributeBytes;
  }

  protected refuse(reason: string): void {
    this.refusal ??= reason;
  }

  /** Adds a text to a column; false, and nothing added, where it is not UTF-8. */
  protected pushText(column: Column, row: number, from: number, to: number): boolean {
    const dictionary = column.dictionary;
    const known = dictionary.count;
    const code = dictionary.intern(this.source, from, to);
    if (dictionary.count > known && !isUtf8(this.source, from, to)) {
      dictionary.removeLast();
      return false;
    }
    column.push(row, code);
    return true;
  }

  /**
   * One KeyValue message. The form that encoders write (key, then a value with one scalar field) goes to its
   * column; everything else as it is to the overflow, once it is known to be well-formed. True where a column or a
   * key remembers the row.
   */
  protected scanAttribute(
    table: AttributeTable,
    row: number,
    from: number,
    end: number,
    overflow: Fragment,
    tag: number,
  ): boolean {
    if (end - from > this.#maxAttributeBytes) {
      this.refuse(`an attribute is larger than limits.max_attribute_bytes (${this.#maxAttributeBytes})`);
    }
    if (this.#storeAttribute(table, row, from, end)) return true;
    if (!checkKeyValue(this.source, from, end, MAX_DEPTH)) throw malformed('an attribute is malformed');
    overflow.addBytes(tag, this.bytes, from, end);
    return this.#markKey(table, row, from, end);
  }

  /** The row has the key of this KeyValue in its overflow now: further ones must follow it there to keep their order. */
  #markKey(table: AttributeTable, row: number, from: number, end: number): boolean {
    let marked = false;
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      const valueAt = this.next;
      const next = this.skip(tag, valueAt, end);
      if (tag === 0x0a) {
        this.enter(valueAt, end);
        const key = table.find(this.source, this.next, next);
        if (key !== undefined) {
          key.lastRow = row;
          marked = true;
        }
      }
      at = next;
    }
    return marked;
  }

  /** Lengths are read from their second byte on where they have more than one. */
  #storeAttribute(table: AttributeTable, row: number, from: number, end: number): boolean {
    const bytes = this.bytes;
    const source = this.source;
    if (from + 2 > end || bytes[from] !== 0x0a) return false;
    let at = from + 1;
    let length = bytes[at++] as number;
    if (length > 127) {
      length = this.varint(at - 1, end);
      if (this.high !== 0 || this.next - at >= MAX_SHORT_BYTES) return false;
      at = this.next;
    }
    const keyAt = at;
    const keyEnd = at + length;
    at = keyEnd;
    if (at + 4 > end || bytes[at] !== 0x12) return false;
    length = bytes[at + 1] as number;
    at += 2;
    if (length > 127) {
      length = this.varint(at - 1, end);
      if (this.high !== 0 || this.next - at >= MAX_SHORT_BYTES) return false;
      at = this.next;
    }
    // The value must end where the KeyValue ends.
    if (at + length !== end || length < 2) return false;
    const type = bytes[at++] as number;
    if (type === 0x0a) {
      length = bytes[at++] as number;
      if (length > 127) {
        length = this.varint(at - 1, end);
        if (this.high !== 0 || this.next - at >= MAX_SHORT_BYTES) return false;
        at = this.next;
      }
      if (at + length !== end) return false;
      const key = table.find(source, keyAt, keyEnd);
      if (key === undefined || key.lastRow === row) return false;
      const column = key.columns[STRING] ?? table.column(key, STRING);
      if (column === undefined || !this.pushText(column, row, at, end)) return false;
      key.lastRow = row;
      return true;
    }
    let low: number;
    let high = 0;
    let kind: number;
    if (type === 0x18 || type === 0x10) {
      low = this.varint(at, end);
      high = this.high;
      if (this.next !== end) return false;
      kind = type === 0x18 ? INT : BOOL;
    } else if (type === 0x21 && at + 8 === end) {
      low = this.view.getInt32(at, true);
      high = this.view.getInt32(at + 4, true);
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
}
