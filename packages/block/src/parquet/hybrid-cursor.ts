import { dataError } from '@vivace/kernel';
import { countBits } from './hybrid.ts';
import { lowBits } from './low-bits.ts';

/** Widest code: dictionaries hold at most 2^24 entries. */
const MAX_CODE_WIDTH = 24;

/**
 * Single values of a hybrid of runs and bit-packed values, asked for in ascending order: what lies between is stepped
 * over, and of levels (width 1) counted.
 */
export class HybridCursor {
  /** Of levels: how many before the value asked for last are 1. */
  ones = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #width: number;
  /** The run that it is in: where it and the next begin, and its first value and the one after its last. */
  #content = 0;
  #next: number;
  #first = 0;
  #last = 0;
  #packed = false;
  /** Levels of the run that are counted in `ones`. */
  #counted = 0;

  constructor(bytes: Uint8Array, from: number, to: number, width: number) {
    if (width > MAX_CODE_WIDTH) throw dataError('block-code-width', `codes of ${width} bits in a block`);
    this.#bytes = bytes;
    this.#next = from;
    this.#end = to;
    this.#width = width;
  }

  /** The value at a place, not before the place asked for last. */
  value(index: number): number {
    while (index >= this.#last) this.#step();
    const place = index - this.#first;
    if (this.#width === 1) this.#countTo(place);
    return this.#packed ? this.#bitsAt(place) : this.#runValue();
  }

  #step(): void {
    if (this.#width === 1) this.#countTo(this.#last - this.#first);
    let header = 0;
    let scale = 1;
    for (;;) {
      if (this.#next >= this.#end || scale > 2 ** 42) throw short();
      const byte = this.#bytes[this.#next++] as number;
      header += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    this.#packed = header % 2 === 1;
    const units = (header - (this.#packed ? 1 : 0)) / 2;
    if (units === 0) throw short();
    this.#first = this.#last;
    this.#last += this.#packed ? 8 * units : units;
    this.#counted = 0;
    this.#content = this.#next;
    this.#next += this.#packed ? units * this.#width : (this.#width + 7) >>> 3;
    if (this.#next > this.#end) throw short();
  }

  #countTo(place: number): void {
    if (place === this.#counted) return;
    if (!this.#packed) {
      if ((this.#runValue() & 1) === 1) this.ones += place - this.#counted;
    } else {
      // Whole bytes are counted; what is counted begins at one.
      const from = this.#counted & ~7;
      this.ones += this.#onesOf(from, place) - this.#onesOf(from, this.#counted);
    }
    this.#counted = place;
  }

  /** Levels `from … to - 1` of the bit-packed run that are 1; `from` is a multiple of eight. */
  #onesOf(from: number, to: number): number {
    return to === from ? 0 : countBits(this.#bytes, this.#content + (from >>> 3), to - from);
  }

  #runValue(): number {
    let value = 0;
    for (let at = this.#content, shift = 0; at < this.#next; at++, shift += 8) {
      value |= (this.#bytes[at] as number) << shift;
    }
    return value;
  }

  #bitsAt(place: number): number {
    const bit = place * this.#width;
    const at = this.#content + Math.floor(bit / 8);
    const word =
      (this.#bytes[at] as number) |
      ((this.#bytes[at + 1] as number) << 8) |
      ((this.#bytes[at + 2] as number) << 16) |
      ((this.#bytes[at + 3] as number) << 24);
    return (word >>> (bit & 7)) & lowBits(this.#width);
  }
}

function short(): Error {
  return dataError('block-levels', 'a run of codes or levels in a block is damaged');
}
