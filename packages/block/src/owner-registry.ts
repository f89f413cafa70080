import type { DictionaryView } from '@vivace/columns';
import { usedEntries } from './used-entries.ts';

/** Numbers of resources (or scopes) in the block, by code of a column set. */
export interface OwnerCodes {
  /** Code in the column set → number in the block, -1 where no row has it. */
  codes: Int32Array;
  /** Resources of the block so far. */
  count: number;
}

/** The distinct resources (or scopes) of a block, numbered by first appearance. */
export class OwnerRegistry {
  /** Exact bytes by number. */
  readonly entries: Uint8Array[] = [];
  /** Spans of each. */
  readonly counts: number[] = [];
  readonly #numbers = new Map<string, number>();

  /** Registers what the rows in `order` of a column set use. */
  add(order: Int32Array, column: Int32Array, { bytes, offsets, count }: DictionaryView): OwnerCodes {
    const { codes, used, counts } = usedEntries(order, column, count);
    const numbers = Int32Array.from(used, (code) => this.#number(bytes.subarray(offsets[code], offsets[code + 1])));
    for (const [i, number] of numbers.entries()) {
      this.counts[number] = (this.counts[number] as number) + (counts[i] as number);
      codes[used[i] as number] = number;
    }
    return { codes, count: this.entries.length };
  }

  #number(entry: Uint8Array): number {
    const id = Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString('latin1');
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const number = this.entries.length;
    this.#numbers.set(id, number);
    this.entries.push(entry.slice());
    this.counts.push(0);
    return number;
  }
}
