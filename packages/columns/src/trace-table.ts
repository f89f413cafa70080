import { type Arena, INITIAL_ROWS } from './arena.ts';

/**
 * The traces of a column set: id → number, and for each the chain of its rows, newest first. Ids are four
 * 32-bit words in wire order.
 */
export class TraceTable {
  count = 0;
  #ids: Uint8Array;
  #words: Int32Array;
  #lastRow: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Encoded bytes that a trace has brought, for `max_trace_bytes`. */
  #bytes: Float64Array = new Float64Array(INITIAL_ROWS);
  #previousRow: Int32Array;
  #slots: Int32Array = new Int32Array(64);
  #last = -1;
  readonly #seed: number;

  readonly #arena: Arena;

  constructor(seed: number, arena: Arena) {
    this.#seed = seed;
    this.#arena = arena;
    this.#ids = arena.uint8(INITIAL_ROWS * 16);
    this.#words = wordsOf(this.#ids);
    this.#previousRow = arena.int32(INITIAL_ROWS);
  }

  /** Bytes outside the arena. */
  get size(): number {
    return this.#lastRow.length * 12 + this.#slots.length * 4;
  }

  get ids(): Uint8Array {
    return this.#ids;
  }

  /** The number of a trace, or -1. */
  find(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    const last = this.#last * 4;
    if (last >= 0 && words[last] === a && words[last + 1] === b && words[last + 2] === c && words[last + 3] === d) {
      return this.#last;
    }
    const slot = this.#slotOf(a, b, c, d);
    const trace = (this.#slots[slot] as number) - 1;
    if (trace >= 0) this.#last = trace;
    return trace;
  }

  /** The number of a trace, which is added when it is new. */
  intern(a: number, b: number, c: number, d: number): number {
    const found = this.find(a, b, c, d);
    if (found >= 0) return found;
    const trace = this.count;
    if (trace === this.#lastRow.length) this.#grow();
    const at = trace * 4;
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
    this.#lastRow[trace] = -1;
    this.count = trace + 1;
    this.#slots[this.#slotOf(a, b, c, d)] = trace + 1;
    this.#last = trace;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return trace;
  }

  bytesOf(trace: number): number {
    return this.#bytes[trace] as number;
  }

  /** Puts a row at the head of the trace's chain. Rows come in ascending order. */
  addRow(trace: number, row: number, bytes: number): void {
    if (row >= this.#previousRow.length) {
      let length = this.#previousRow.length * 2;
      while (length <= row) length *= 2;
      this.#previousRow = this.#arena.grownInt32(this.#previousRow, length);
    }
    this.#previousRow[row] = this.#lastRow[trace] as number;
    this.#lastRow[trace] = row;
    this.#bytes[trace] = (this.#bytes[trace] as number) + bytes;
  }

  /** The rows of a trace in ascending order, dead ones included. */
  rows(trace: number): Int32Array {
    let count = 0;
    for (let row = this.#lastRow[trace] as number; row >= 0; row = this.#previousRow[row] as number) count++;
    const rows = new Int32Array(count);
    for (let row = this.#lastRow[trace] as number; row >= 0; row = this.#previousRow[row] as number)
      rows[--count] = row;
    return rows;
  }

  #slotOf(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hash = Math.imul(a ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ b, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ c, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ d, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const trace = (slots[slot] as number) - 1;
      if (trace < 0) return slot;
      const at = trace * 4;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const length = this.#lastRow.length * 2;
    this.#ids = this.#arena.grownUint8(this.#ids, length * 16);
    this.#words = wordsOf(this.#ids);
    const lastRow = new Int32Array(length);
    lastRow.set(this.#lastRow);
    this.#lastRow = lastRow;
    const bytes = new Float64Array(length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const words = this.#words;
    for (let trace = 0; trace < this.count; trace++) {
      const at = trace * 4;
      const slot = this.#slotOf(
        words[at] as number,
        words[at + 1] as number,
        words[at + 2] as number,
        words[at + 3] as number,
      );
      this.#slots[slot] = trace + 1;
    }
  }
}

function wordsOf(ids: Uint8Array): Int32Array {
  return new Int32Array(ids.buffer, ids.byteOffset, ids.length / 4);
}
