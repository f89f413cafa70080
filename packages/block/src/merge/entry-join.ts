import type { DictionaryView } from '@vivace/columns';
import { ByteInterner } from '../byte-interner.ts';
import type { EntryNumbers } from '../parquet/chunk-reader.ts';
import type { Values } from '../parquet/chunk-writer.ts';

// Hot path: every value of every column. Benchmark: `merge.bench.ts`.

/** The entries of several dictionaries as one, of which only what is used is taken. */
export class EntryJoin implements EntryNumbers {
  readonly #interner: ByteInterner;
  /** Number of an entry of the open dictionary → its number here, -1 where it is not known yet. */
  #joint = new Int32Array(1 << 10);
  #entries: Values = { bytes: new Uint8Array(0), width: 0, offsets: undefined };
  #count = 0;

  constructor(seed: number) {
    this.#interner = new ByteInterner(seed);
  }

  /** Forgets all entries, and keeps the memory: what `view` gave is not good any more. */
  reset(): void {
    this.#interner.reset();
  }

  /** Memory that is kept, about. */
  get capacity(): number {
    return this.#interner.capacity + this.#joint.byteLength;
  }

  open(entries: Values, count: number): void {
    if (this.#joint.length < count) this.#joint = new Int32Array(2 * count);
    this.#joint.fill(-1, 0, count);
    this.#entries = entries;
    this.#count = count;
  }

  renumber(numbers: Int32Array, from: number, to: number): boolean {
    const joint = this.#joint;
    const count = this.#count;
    for (let i = from; i < to; i++) {
      const entry = numbers[i] as number;
      if (entry >= count) return false;
      const known = joint[entry] as number;
      numbers[i] = known >= 0 ? known : this.#add(entry);
    }
    return true;
  }

  view(): DictionaryView {
    return this.#interner.view();
  }

  #add(entry: number): number {
    const { bytes, width, offsets } = this.#entries;
    const from = offsets === undefined ? entry * width : (offsets[entry] as number);
    const to = offsets === undefined ? from + width : (offsets[entry + 1] as number);
    const number = this.#interner.code(bytes, from, to);
    this.#joint[entry] = number;
    return number;
  }
}
