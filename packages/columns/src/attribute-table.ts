import { utf8Decode } from '@vivace/kernel';
import type { Arena } from './arena.ts';
import { Column } from './column.ts';
import { equalRange, hashRange, isUtf8, type Source } from './source.ts';
import type { AttributeColumn, AttributeType } from './view.ts';

// Hot path: `find` runs once an attribute. Benchmark: `npm run bench -- micro`, row "columnise".

const TYPES: readonly AttributeType[] = ['string', 'int', 'double', 'bool'];

/** A longer key goes to the overflow: each column repeats its key in every row group, and the heap holds it twice. */
const MAX_KEY_BYTES = 1024;

/** What a key and a column take on the JavaScript heap, measured with 100,000 of them. */
const KEY_BYTES = 500;
const COLUMN_BYTES = 1000;

/** An attribute key, with a column for each type that it has been seen with. */
export class AttributeKey {
  readonly text: string;
  readonly view: DataView;
  readonly length: number;
  readonly hash: number;
  /** The last row that has the key: a second one in a row goes to the overflow. */
  lastRow = -1;
  /** The key that followed this one last time, which is likely to follow it again. */
  next: AttributeKey | undefined = undefined;
  readonly columns: (Column | undefined)[] = [undefined, undefined, undefined, undefined];

  constructor(bytes: Uint8Array, hash: number) {
    this.text = utf8Decode(bytes);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.length;
    this.hash = hash;
  }
}

/** The attribute columns of one table: span attributes, or event and link attributes. */
export class AttributeTable {
  readonly #seed: number;
  readonly #maxColumns: number;
  readonly #arena: Arena;
  #columnCount = 0;
  #keys: AttributeKey[] = [];
  #keyBytes = 0;
  #slots: (AttributeKey | undefined)[] = Array.from({ length: 64 });
  /** What came before, to guess what comes next. */
  #previous: AttributeKey;

  constructor(seed: number, maxColumns: number, arena: Arena) {
    this.#seed = seed;
    this.#arena = arena;
    this.#maxColumns = maxColumns;
    this.#previous = new AttributeKey(new Uint8Array(0), 0);
  }

  /** An estimate of the objects' memory, which is not in the arena. */
  get size(): number {
    return this.#keys.length * KEY_BYTES + this.#keyBytes + this.#columnCount * COLUMN_BYTES;
  }

  /** See `Column`. */
  get growthSoon(): number {
    let bytes = 0;
    for (const { columns } of this.#keys) for (const column of columns) bytes += column?.growthSoon ?? 0;
    return bytes;
  }

  /** The key with the bytes `source[from, to)`; undefined where it can have no column (empty, too long, not UTF-8, too many keys). */
  find(source: Source, from: number, to: number): AttributeKey | undefined {
    const length = to - from;
    if (length > MAX_KEY_BYTES) return undefined;
    const guess = this.#previous.next;
    if (guess !== undefined && guess.length === length && equalRange(guess.view, 0, source.view, from, length)) {
      this.#previous = guess;
      return guess;
    }
    const key = this.#lookUp(source, from, to);
    if (key !== undefined) {
      this.#previous.next = key;
      this.#previous = key;
    }
    return key;
  }

  /** The column of a key for the type with this index in string, int, double, bool; undefined when the cap is reached. */
  column(key: AttributeKey, type: number): Column | undefined {
    const column = key.columns[type];
    if (column !== undefined) return column;
    if (this.#columnCount >= this.#maxColumns) return undefined;
    this.#columnCount++;
    const made = new Column(this.#seed, this.#arena);
    key.columns[type] = made;
    return made;
  }

  views(): AttributeColumn[] {
    const views: AttributeColumn[] = [];
    for (const key of this.#keys) {
      for (let type = 0; type < TYPES.length; type++) {
        const column = key.columns[type];
        if (column) views.push({ ...column.view(), key: key.text, type: TYPES[type] as AttributeType });
      }
    }
    return views;
  }

  #lookUp(source: Source, from: number, to: number): AttributeKey | undefined {
    const length = to - from;
    const hash = hashRange(source, from, to, this.#seed);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const key = this.#slots[slot];
      if (key === undefined) break;
      if (key.hash === hash && key.length === length && equalRange(key.view, 0, source.view, from, length)) return key;
      slot = (slot + 1) & mask;
    }
    if (length === 0 || this.#keys.length >= this.#maxColumns || !isUtf8(source, from, to)) return undefined;
    const made = new AttributeKey(source.bytes.slice(from, to), hash);
    this.#slots[slot] = made;
    this.#keys.push(made);
    // Its bytes and its text.
    this.#keyBytes += 3 * length;
    if (this.#keys.length * 2 > this.#slots.length) this.#rehash();
    return made;
  }

  #rehash(): void {
    const slots = Array.from<AttributeKey | undefined>({ length: this.#slots.length * 2 });
    const mask = slots.length - 1;
    for (const key of this.#keys) {
      let slot = key.hash & mask;
      while (slots[slot] !== undefined) slot = (slot + 1) & mask;
      slots[slot] = key;
    }
    this.#slots = slots;
  }
}
