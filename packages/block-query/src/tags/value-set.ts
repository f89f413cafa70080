import type { AttributeType } from '@vivace/columns';
import { utf8Decode } from '@vivace/kernel';
import type { CodedColumn } from '../batch.ts';
import { entryValue } from '../literal-test.ts';
import { type Value, valueKey } from '../value.ts';
import { ByteSet } from './byte-set.ts';

/** Bytes of the names or values of one answer; each counts `ITEM_BYTES` more. */
export const MAX_ANSWER_BYTES = 1 << 20;
export const ITEM_BYTES = 8;

/** Distinct values, as bytes until the end. What is beyond the bound is left out, and `truncated` says so. */
export class ValueSet {
  truncated = false;
  readonly #entries = new Map<AttributeType, ByteSet>();
  readonly #others = new Map<string, Value>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = MAX_ANSWER_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** A value as a dictionary entry of a column. */
  addEntry(type: AttributeType, bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (this.truncated) return;
    let entries = this.#entries.get(type);
    if (entries === undefined) this.#entries.set(type, (entries = new ByteSet()));
    if (entries.add(bytes, from, to)) this.#count(to - from);
  }

  /** The entries of a column of which `used`, by code, is 1. */
  addUsed({ type, dictionary: { bytes, offsets } }: CodedColumn, used: Uint8Array): void {
    if (type === 'bytes') return;
    for (let code = used.indexOf(1); code >= 0; code = used.indexOf(1, code + 1)) {
      if (this.truncated) return;
      this.addEntry(type, bytes, offsets[code] as number, offsets[code + 1] as number);
    }
  }

  /** Of arrays their elements; maps, bytes and what is missing are no values. */
  add(value: Value): void {
    for (const element of value.type === 'array' ? value.values : [value]) {
      if (this.truncated) return;
      if (element.type === 'nil' || element.type === 'other' || element.type === 'array') continue;
      const key = valueKey(element);
      if (this.#others.has(key)) continue;
      this.#others.set(key, element);
      this.#count(key.length);
    }
  }

  /** Sorted by type, then value; strings by their bytes, false before true, NaN last. */
  sorted(): Value[] {
    const texts = new Set<string>();
    const others = new Map<string, Value>();
    const put = (value: Value) => {
      if (value.type === 'string') texts.add(value.value);
      // -0 and 0 are one value, and so are all that is no number.
      else others.set(valueKey(value), value.type === 'float' && value.value === 0 ? ZERO : value);
    };
    for (const [type, entries] of this.#entries) {
      for (let i = 0; i < entries.count; i++) {
        const bytes = entries.entry(i);
        if (type === 'string') texts.add(utf8Decode(bytes));
        else put(entryValue(type, { count: 1, bytes, offsets: Uint32Array.of(0, bytes.length) }, 0));
      }
    }
    for (const value of this.#others.values()) put(value);
    // No type comes after strings.
    return [
      ...[...others.values()].sort(compareOthers),
      ...sortedTexts(texts).map((value): Value => ({ type: 'string', value })),
    ];
  }

  #count(bytes: number): void {
    this.#bytes += bytes + ITEM_BYTES;
    if (this.#bytes > this.#maxBytes) this.truncated = true;
  }
}

const ZERO: Value = { type: 'float', value: 0 };

function compareOthers(a: Value, b: Value): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  if (!('value' in a) || !('value' in b)) return 0;
  if (Number.isNaN(a.value)) return 1;
  if (Number.isNaN(b.value)) return -1;
  return a.value < b.value ? -1 : 1;
}

/** By the bytes of UTF-8. JavaScript's own order, by far the fastest, differs from it in surrogates alone. */
export function sortedTexts(texts: Iterable<string>): string[] {
  const all = [...texts];
  return all.some((text) => SURROGATE.test(text)) ? all.sort(compareUtf8) : all.sort();
}

const SURROGATE = /[\ud800-\udfff]/;

function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOf(x) - rankOf(y);
  }
  return a.length - b.length;
}

function rankOf(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
