import { compareBytes, dataError } from '@vivace/kernel';
import type { ColumnSet } from './column-set.ts';
import { fieldHash } from './field-hash.ts';
import { type Source, sourceOf } from './source.ts';
import { type EncodedSpans, encodeSpans } from './span-encoder.ts';

/**
 * Which of two spans with the same identity (trace id, span id, kind, start) stays: the one that ends later,
 * then the one with the longer encoding, then the one with the larger hash. The rule is the same whatever the
 * order of merging, so heads, queries and compaction agree.
 */

/** Negative where span `a` of `left` loses to span `b` of `right`, positive where it wins, 0 where they are equal. */
export function compareResends(left: EncodedSpans, a: number, right: EncodedSpans, b: number): number {
  for (const half of [1, 0]) {
    const difference = (left.ends[a * 2 + half] as number) - (right.ends[b * 2 + half] as number);
    if (difference !== 0) return difference;
  }
  const bytesA = spanBytes(left, a);
  const bytesB = spanBytes(right, b);
  if (bytesA.length !== bytesB.length) return bytesA.length - bytesB.length;
  const hash = contentHash(left, a, bytesA) - contentHash(right, b, bytesB);
  return hash !== 0 ? hash : compareBytes(bytesA, bytesB);
}

/**
 * Decides for rows of a column set, ascending, whose identity an earlier row stands for: the loser of each pair is
 * killed. All of a request at once, because most of the cost of comparing is the same for one pair and a thousand.
 */
export function settleResends(set: ColumnSet, rows: readonly number[]): void {
  const compared = new Set(rows);
  for (const row of rows) compared.add(set.spans.holder(set, row));
  const live = [...compared].filter((row) => set.dead[row] === 0).sort((a, b) => a - b);
  const spans = encodeSpans(set.view(), Int32Array.from(live));
  const places = new Map(live.map((row, place) => [row, place]));
  for (const row of rows) {
    const holder = set.spans.holder(set, row);
    if (set.dead[holder] === 1 || compareResends(spans, placeOf(row), spans, placeOf(holder)) > 0) {
      set.kill(holder);
      set.spans.replace(set, row);
    } else set.kill(row);
  }

  function placeOf(row: number): number {
    return places.get(row) as number;
  }
}

export function spanBytes(spans: EncodedSpans, index: number): Uint8Array {
  return spans.bytes.subarray(spans.offsets[index], spans.offsets[index + 1]);
}

/** Sums hashes of the fields, because their order depends on where the span is stored; resource and scope count too. */
function contentHash(spans: EncodedSpans, index: number, bytes: Uint8Array): number {
  let sum = fieldSum(sourceOf(bytes), 0, bytes.length, true);
  sum = (sum + ownerHash(spans.resources[spans.resource[index] as number] as Uint8Array, 1)) | 0;
  return (sum + ownerHash(spans.scopes[spans.scope[index] as number] as Uint8Array, 2)) >>> 0;
}

/** Span.events and Span.links. */
const EVENTS_TAG = (11 << 3) | 2;
const LINKS_TAG = (13 << 3) | 2;

/** Of the fields between `from` and `to`; the attributes of events and links are in any order, too. */
function fieldSum(source: Source, from: number, to: number, ofSpan: boolean): number {
  const { bytes } = source;
  let sum = 0;
  for (let at = from; at < to; ) {
    const end = fieldEnd(bytes, at);
    const tag = bytes[at] as number;
    if (ofSpan && (tag === EVENTS_TAG || tag === LINKS_TAG)) {
      let content = at + 1;
      while ((bytes[content++] as number) > 127);
      const inner = fieldSum(source, content, end, false);
      // Mixed, so that it matters which event has a field.
      sum = (sum + Math.imul(inner ^ (inner >>> 15) ^ tag, 0x9e3779b1)) | 0;
    } else sum = (sum + fieldHash(source, at, end, 0)) | 0;
    at = end;
  }
  return sum;
}

/** A resource may be as long as a request, and that of a hundred thousand spans. */
const ownerHashes = new WeakMap<Uint8Array, number>();

/** The hash of a resource or scope; `kind` tells which it is. */
function ownerHash(owner: Uint8Array, kind: number): number {
  let hash = ownerHashes.get(owner);
  if (hash === undefined) {
    hash = fieldHash(sourceOf(owner), 0, owner.length, kind);
    ownerHashes.set(owner, hash);
  }
  return hash;
}

/**
 * The end of the field at `at` of a message. What a column set was filled with is well-formed; what a block says may
 * not be, and gives a `data` error.
 */
export function fieldEnd(bytes: Uint8Array, at: number): number {
  let p = at;
  const wire = (bytes[p] as number) & 7;
  while ((bytes[p++] as number) > 127);
  if (wire === 1) p += 8;
  else if (wire === 5) p += 4;
  else {
    let value = 0;
    let scale = 1;
    for (; ; scale *= 128) {
      if (p >= bytes.length) throw cutOff();
      const byte = bytes[p++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (wire === 2) p += value;
  }
  if (p > bytes.length) throw cutOff();
  return p;
}

function cutOff(): Error {
  return dataError('span-malformed', 'a stored message ends within a field');
}
