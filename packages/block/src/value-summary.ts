import type { AttributeType, DictionaryView } from '@vivace/columns';
import { dataError, utf8Decode, utf8Encode } from '@vivace/kernel';
import type { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { ATTRIBUTE_TYPES, type AttributeScope, SCOPE_CODES, TYPE_CODES } from './layout.ts';

/** What is known of one attribute of a block without reading its data. */
export interface AttributeSummary {
  scope: AttributeScope;
  key: string;
  /** `other`: arrays, maps, bytes and empty values. */
  type: AttributeType | 'other';
  /** Spans (events, links) that have it. A lower bound when `truncated`. */
  total: number;
  /** Values may be missing from `values`. */
  truncated: boolean;
  /** Values as dictionary entries, most frequent first; empty when there are too many. */
  values: { bytes: Uint8Array; count: number }[];
}

/** More distinct values than this are not listed. */
const MAX_VALUES = 1000;
/** Bytes of values listed for one attribute, and in all. */
const MAX_VALUE_BYTES = 64 * 1024;
const MAX_SUMMARY_BYTES = 384 * 1024;
/** Attributes listed; tenants with more have `truncated` set on the whole list. */
const MAX_KEYS = 20_000;

const SCOPES = Object.keys(SCOPE_CODES) as AttributeScope[];

/** An attribute while its values come. */
interface Entry extends AttributeSummary {
  /** There were too many values to list. */
  overfull: boolean;
  valueBytes: number;
  /** Value → its place in `values`, once it is needed. */
  places: Map<string, number> | undefined;
}

/** Collects the summary while a block is encoded. */
export class SummaryBuilder {
  readonly #entries = new Map<string, Entry>();
  #incomplete = false;

  /** Counts of a column, or of a part of its rows, by dictionary code; codes that count 0 are not in the block. */
  column(
    scope: AttributeScope,
    key: string,
    type: AttributeType,
    dictionary: DictionaryView,
    counts: Int32Array,
    total: number,
  ): void {
    if (total === 0) return;
    const entry = this.#entry(scope, key, type);
    if (entry === undefined) return;
    entry.total += total;
    if (entry.overfull) return;
    let distinct = 0;
    let bytes = 0;
    for (let code = 0; code < dictionary.count && distinct <= MAX_VALUES; code++) {
      if (counts[code] === 0) continue;
      distinct++;
      bytes += (dictionary.offsets[code + 1] as number) - (dictionary.offsets[code] as number);
    }
    if (distinct > MAX_VALUES || bytes > MAX_VALUE_BYTES) return overfill(entry);
    // A column that comes in parts has values that are known.
    const places = entry.values.length > 0 ? placesOf(entry) : undefined;
    for (let code = 0; code < dictionary.count; code++) {
      const count = counts[code] as number;
      if (count === 0) continue;
      const value = dictionary.bytes.slice(dictionary.offsets[code], dictionary.offsets[code + 1]);
      const place = places?.get(textOf(value));
      if (place !== undefined) {
        const known = entry.values[place] as AttributeSummary['values'][number];
        known.count += count;
        continue;
      }
      places?.set(textOf(value), entry.values.length);
      entry.values.push({ bytes: value, count });
      entry.valueBytes += value.length;
      if (entry.values.length > MAX_VALUES || entry.valueBytes > MAX_VALUE_BYTES) return overfill(entry);
    }
  }

  /** One value, `count` times; for tables of few rows. */
  value(scope: AttributeScope, key: string, type: AttributeType, value: Uint8Array, count: number): void {
    const entry = this.#entry(scope, key, type);
    if (entry === undefined) return;
    entry.total += count;
    if (entry.truncated) return;
    const known = entry.values.find(({ bytes }) => Buffer.compare(bytes, value) === 0);
    if (known) known.count += count;
    else if (entry.values.length === MAX_VALUES) {
      entry.truncated = true;
      entry.values = [];
    } else entry.values.push({ bytes: value.slice(), count });
  }

  /** An attribute whose values are not listed here. */
  seen(scope: AttributeScope, key: string, type: AttributeType | 'other', count: number): void {
    const entry = this.#entry(scope, key, type);
    if (entry === undefined) return;
    entry.total += count;
    entry.truncated = true;
  }

  #entry(scope: AttributeScope, key: string, type: AttributeType | 'other'): Entry | undefined {
    const id = `${scope} ${type} ${key}`;
    let entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    if (this.#entries.size === MAX_KEYS) {
      this.#incomplete = true;
      return undefined;
    }
    entry = {
      scope,
      key,
      type,
      total: 0,
      truncated: false,
      values: [],
      overfull: false,
      valueBytes: 0,
      places: undefined,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Keys with values that are noted only; undefined where not all keys are known. */
  otherKeys(): string[] | undefined {
    if (this.#incomplete) return undefined;
    const others = [...this.#entries.values()].filter(({ type }) => type === 'other');
    return [...new Set(others.map(({ key }) => key))];
  }

  /** The encoded summary; attributes with the longest lists lose them first when it would be too large. */
  finish(): Uint8Array {
    const entries = [...this.#entries.values()].sort(
      (a, b) =>
        SCOPE_CODES[a.scope] - SCOPE_CODES[b.scope] ||
        (a.key < b.key ? -1 : a.key > b.key ? 1 : TYPE_CODES[a.type] - TYPE_CODES[b.type]),
    );
    const sizes = entries.map((entry) => ({
      entry,
      bytes: entry.values.reduce((sum, v) => sum + v.bytes.length + 4, 0),
    }));
    let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { entry, bytes } of sizes.toSorted((a, b) => b.bytes - a.bytes)) {
      if (total <= MAX_SUMMARY_BYTES) break;
      total -= bytes;
      entry.truncated = true;
      entry.values = [];
    }
    const out = new ByteWriter(4096);
    out.u8(this.#incomplete ? 1 : 0);
    out.varint(entries.length);
    for (const entry of entries) {
      out.u8(SCOPE_CODES[entry.scope]);
      out.u8(TYPE_CODES[entry.type]);
      out.block(utf8Encode(entry.key));
      out.varint(entry.total);
      out.u8(entry.truncated ? 1 : 0);
      out.varint(entry.values.length);
      entry.values.sort((a, b) => b.count - a.count || Buffer.compare(a.bytes, b.bytes));
      for (const value of entry.values) {
        out.varint(value.count);
        out.block(value.bytes);
      }
    }
    return out.take();
  }
}

/** Values are not listed from now on. */
function overfill(entry: Entry): void {
  entry.overfull = true;
  entry.truncated = true;
  entry.values = [];
  entry.places = undefined;
}

function placesOf(entry: Entry): Map<string, number> {
  entry.places ??= new Map(entry.values.map(({ bytes }, place) => [textOf(bytes), place]));
  return entry.places;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** The summary of a block. */
export interface ValueSummary {
  attributes: AttributeSummary[];
  /** There were more attributes than are listed. */
  truncated: boolean;
}

export function decodeSummary(input: ByteReader): ValueSummary {
  const truncated = input.u8() === 1;
  const count = input.varintUpTo(MAX_KEYS);
  const attributes: AttributeSummary[] = [];
  for (let i = 0; i < count; i++) {
    const scope = SCOPES[input.u8()];
    const typeCode = input.u8();
    const type = typeCode === TYPE_CODES.other ? 'other' : ATTRIBUTE_TYPES[typeCode];
    if (scope === undefined || type === undefined) {
      throw dataError('block-summary', 'the value summary of a block names an unknown scope or type');
    }
    const key = utf8Decode(input.block());
    const total = input.varint();
    const incomplete = input.u8() === 1;
    const values: AttributeSummary['values'] = [];
    for (let left = input.varintUpTo(MAX_VALUES); left > 0; left--) {
      const times = input.varint();
      values.push({ count: times, bytes: input.block() });
    }
    attributes.push({ scope, key, type, total, truncated: incomplete, values });
  }
  return { attributes, truncated };
}
