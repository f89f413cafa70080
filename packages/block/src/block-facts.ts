import type { AttributeColumn, DictionaryView } from '@vivace/columns';
import { utf8Decode, utf8Encode } from '@vivace/kernel';
import { BYTES, FieldWalker } from './fields.ts';
import type { FilterSink } from './filter.ts';
import { Hash64, hashKey } from './hash.ts';
import { type ScannedAttribute, scanKeyValue } from './key-value.ts';
import type { AttributeScope } from './layout.ts';
import { SummaryBuilder } from './value-summary.ts';

/** More keys are not told apart: the value summary has to be read. */
const MAX_UNFILTERED_KEYS = 64;

function unfilteredKeys(keys: readonly string[] | undefined): number[] | undefined {
  if (keys === undefined || keys.length > MAX_UNFILTERED_KEYS) return undefined;
  return [...new Set(keys.map(hashKey))].sort((a, b) => a - b);
}

/** The values of an attribute column. */
export type ColumnValues = Pick<AttributeColumn, 'key' | 'type' | 'dictionary'>;

/**
 * What a block knows about its values without its tables: the filter and the value summary. Fed from
 * dictionaries, so that a distinct value is hashed once.
 */
export class BlockFacts {
  readonly summary = new SummaryBuilder();
  readonly #filter: FilterSink;
  readonly #hash = new Hash64();

  constructor(filter: FilterSink) {
    this.#filter = filter;
  }

  traceId(bytes: Uint8Array, from: number): void {
    this.#hash.traceId(bytes, from);
    this.#filter.add(this.#hash.low, this.#hash.high);
  }

  /** A column with `counts` by dictionary code, `total` in all. */
  column(scope: AttributeScope, { key, type, dictionary }: ColumnValues, counts: Int32Array, total: number): void {
    if (total === 0) return;
    this.summary.column(scope, key, type, dictionary, counts, total);
    const hash = this.#hash;
    hash.key(utf8Encode(key), type);
    const keyLow = hash.low;
    const keyHigh = hash.high;
    const { bytes, offsets, count } = dictionary;
    for (let code = 0; code < count; code++) {
      if (counts[code] === 0) continue;
      hash.value(keyLow, keyHigh, type, bytes, offsets[code] as number, offsets[code + 1] as number);
      this.#filter.add(hash.low, hash.high);
    }
  }

  /** An attribute of a resource or scope, `count` times. Values without a column type are only noted. */
  attribute(scope: AttributeScope, { key, type, value }: ScannedAttribute, count: number): void {
    const text = utf8Decode(key);
    if (type === undefined) {
      this.summary.seen(scope, text, 'other', count);
      return;
    }
    this.summary.value(scope, text, type, value, count);
    this.#addToFilter(key, type, value);
  }

  /**
   * Attributes in overflow fragments: field `attributeField` of each entry that `counts` says is used. Their
   * values are in the filter but not listed.
   */
  fragments(scope: AttributeScope, attributeField: number, entries: DictionaryView, counts: Int32Array): void {
    for (let code = 0; code < entries.count; code++) {
      const count = counts[code] as number;
      if (count === 0) continue;
      const walker = new FieldWalker(entries.bytes, entries.offsets[code], entries.offsets[code + 1]);
      while (walker.next()) {
        if (walker.field !== attributeField || walker.wire !== BYTES) continue;
        const { key, type, value } = scanKeyValue(entries.bytes, walker.from, walker.to);
        this.summary.seen(scope, utf8Decode(key), type ?? 'other', count);
        if (type !== undefined) this.#addToFilter(key, type, value);
      }
    }
  }

  finish(): { filter: Uint8Array; summary: Uint8Array; unfilteredKeys: number[] | undefined } {
    return {
      filter: this.#filter.finish(),
      summary: this.summary.finish(),
      unfilteredKeys: unfilteredKeys(this.summary.otherKeys()),
    };
  }

  #addToFilter(key: Uint8Array, type: AttributeColumn['type'], value: Uint8Array): void {
    const hash = this.#hash;
    hash.key(key, type);
    hash.value(hash.low, hash.high, type, value, 0, value.length);
    this.#filter.add(hash.low, hash.high);
  }
}
