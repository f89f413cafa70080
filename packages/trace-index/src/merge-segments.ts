import { assert } from '@vivace/kernel';
import { BucketCursor, bucketIn, checkSegment } from './segment-reader.ts';
import { bucketBase, type SegmentPlace, SegmentWriter, type WrittenSegment } from './segment-writer.ts';

/** Traces of blocks, by ascending hash; the same hash as often as blocks have it. */
export interface TracePostings {
  hashes: Uint32Array;
  ordinals: Float64Array;
}

export interface MergeOptions {
  id: string;
  first: number;
  end: number;
  segments: readonly { place: SegmentPlace; bytes: Uint8Array; entries: number }[];
  postings: readonly TracePostings[];
  /**
   * The ordinal to write for one: another of the same block, so that a trace that its blocks were merged for is there
   * once; undefined where no block has it any more.
   */
  current: (ordinal: number) => number | undefined;
}

/** Joins segments with what is new to one segment. Throws `data` where a segment is damaged. */
export function mergeSegments({ id, first, end, segments, postings, current }: MergeOptions): WrittenSegment {
  const known = segments.reduce((sum, segment) => sum + segment.entries, 0);
  const entries = postings.reduce((sum, { hashes }) => sum + hashes.length, known);
  const writer = new SegmentWriter({ id, first, end, entries });
  const cursors = [
    ...segments.map(({ place, bytes }) => new SegmentCursor(place, bytes, (from, to) => writer.addUnknown(from, to))),
    ...postings.map((sorted) => new PostingsCursor(sorted)),
  ].filter((cursor) => cursor.next());
  const blocks = new Set<number>();
  while (cursors.length > 0) {
    const hash = leastHash(cursors);
    blocks.clear();
    const isAnywhere = takeHash(cursors, hash, current, blocks);
    if (isAnywhere) writer.add(hash, undefined);
    else if (blocks.size > 0) writer.add(hash, [...blocks]);
  }
  return writer.finish();
}

function leastHash(cursors: readonly Cursor[]): number {
  let least = 2 ** 32;
  for (const { hash } of cursors) if (hash < least) least = hash;
  return least;
}

/**
 * Takes what the cursors have for a hash, adds its blocks to `blocks`, and drops the cursors that end there. Returns
 * whether the trace may be in any block.
 */
function takeHash(
  cursors: Cursor[],
  hash: number,
  current: (ordinal: number) => number | undefined,
  blocks: Set<number>,
): boolean {
  let isAnywhere = false;
  for (let i = cursors.length - 1; i >= 0; i--) {
    const cursor = cursors[i] as Cursor;
    let more = true;
    while (more && cursor.hash === hash) {
      const { ordinal } = cursor;
      if (ordinal === undefined) isAnywhere = true;
      else {
        const now = current(ordinal);
        if (now !== undefined) blocks.add(now);
      }
      more = cursor.next();
    }
    if (!more) cursors.splice(i, 1);
  }
  return isAnywhere;
}

/** Traces that are sorted at a time. */
export const MAX_SORTED = 2 ** 20;

/** Sorts traces as they were found, block by block, by their hashes: at most `MAX_SORTED`. */
export function sortPostings(hashes: Uint32Array, ordinals: Float64Array): TracePostings {
  assert(hashes.length <= MAX_SORTED, 'too many traces to sort at a time');
  // The hash and the place in one double: no comparator, no objects.
  const keys = new Float64Array(hashes.length);
  for (let i = 0; i < keys.length; i++) keys[i] = (hashes[i] as number) * MAX_SORTED + i;
  keys.sort();
  const sorted = { hashes: new Uint32Array(keys.length), ordinals: new Float64Array(keys.length) };
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    const hash = Math.floor(key / MAX_SORTED);
    sorted.hashes[i] = hash;
    sorted.ordinals[i] = ordinals[key - hash * MAX_SORTED] as number;
  }
  return sorted;
}

interface Cursor {
  readonly hash: number;
  readonly ordinal: number | undefined;
  next(): boolean;
}

class PostingsCursor implements Cursor {
  hash = 0;
  ordinal: number | undefined;
  readonly #postings: TracePostings;
  #at = 0;

  constructor(postings: TracePostings) {
    this.#postings = postings;
  }

  next(): boolean {
    const { hashes, ordinals } = this.#postings;
    if (this.#at === hashes.length) return false;
    this.hash = hashes[this.#at] as number;
    this.ordinal = ordinals[this.#at++] as number;
    return true;
  }
}

/** The entries of all buckets; of those that are full, `onUnknown` hears before any later hash. */
class SegmentCursor implements Cursor {
  hash = 0;
  ordinal: number | undefined;
  readonly #place: SegmentPlace;
  readonly #bytes: Uint8Array;
  #bucket = -1;
  #cursor: BucketCursor | undefined;

  constructor(place: SegmentPlace, bytes: Uint8Array, onUnknown: (from: number, to: number) => void) {
    checkSegment(place, bytes);
    this.#place = place;
    this.#bytes = bytes;
    // Before anything is written: what is unknown here reaches into buckets of other sizes.
    for (let number = 0; number < place.buckets; number++) {
      if (!this.#bucketAt(number).isFull) continue;
      onUnknown(bucketBase(number, place.buckets), bucketBase(number + 1, place.buckets) - 1);
    }
  }

  next(): boolean {
    while (this.#cursor?.next() !== true) {
      if (++this.#bucket === this.#place.buckets) return false;
      this.#cursor = this.#bucketAt(this.#bucket);
    }
    this.hash = this.#cursor.hash;
    this.ordinal = this.#cursor.ordinal;
    return true;
  }

  #bucketAt(number: number): BucketCursor {
    const base = bucketBase(number, this.#place.buckets);
    return new BucketCursor(this.#place, number, bucketIn(this.#place, this.#bytes, base));
  }
}
