import { assert, crc32, hexToBytes } from '@vivace/kernel';
import {
  BUCKET_ENTRIES,
  FORMAT_VERSION,
  HEADER_BYTES,
  MAGIC,
  MAX_BLOCKS_A_TRACE,
  MAX_BUCKETS,
  MAX_ORDINALS,
  MAX_STRIDE,
  MIN_STRIDE,
  TRAILER_BYTES,
} from './layout.ts';

/** Where a segment is found, and how to read a bucket of it without reading anything else. */
export interface SegmentPlace {
  /** UUIDv7. */
  id: string;
  /** It knows the traces of the blocks with the ordinals `first … end - 1`. */
  first: number;
  end: number;
  buckets: number;
  /** Bytes a bucket. */
  stride: number;
}

export interface WrittenSegment extends SegmentPlace {
  entries: number;
  bytes: Uint8Array;
}

/** A bucket that needs more than so much of the mean, and than so many bytes, has no entries. */
const MOST_OF_MEAN = 2;
const MIN_MOST_BYTES = 1024;

/** The bucket of a hash. */
export function bucketOf(hash: number, buckets: number): number {
  return Math.floor((hash * buckets) / 2 ** 32);
}

/** The smallest hash of a bucket. */
export function bucketBase(number: number, buckets: number): number {
  return Math.ceil((number * 2 ** 32) / buckets);
}

export function segmentBytes({ buckets, stride }: Pick<SegmentPlace, 'buckets' | 'stride'>): number {
  return HEADER_BYTES + buckets * stride;
}

/** Mixed into the checksum of a bucket: one that is read from the wrong place, or segment, does not pass. */
export function bucketTag(id: string, number: number): number {
  const tag = new Uint8Array(20);
  tag.set(hexToBytes(id.replaceAll('-', '')));
  new DataView(tag.buffer).setUint32(16, number, true);
  return crc32(tag);
}

/**
 * Makes a segment of traces that are added in ascending order of their hashes. Memory for what was added, about three
 * bytes a trace, and as much again when it is finished.
 */
export class SegmentWriter {
  readonly #id: string;
  readonly #first: number;
  readonly #end: number;
  readonly #buckets: number;
  /** Bodies one after another; where each bucket's begins. Of a bucket that is full, nothing. */
  #bytes = new Uint8Array(1 << 16);
  #length = 0;
  readonly #starts: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #full: Uint8Array;
  #bucket = -1;
  #last = 0;
  #entries = 0;

  /** `entries`: about so many are added. */
  constructor({ id, first, end, entries }: { id: string; first: number; end: number; entries: number }) {
    assert(end > first && end - first <= MAX_ORDINALS, `a segment of ${end - first} ordinals`);
    this.#id = id;
    this.#first = first;
    this.#end = end;
    this.#buckets = Math.min(MAX_BUCKETS, Math.max(1, Math.ceil(entries / BUCKET_ENTRIES)));
    this.#starts = new Uint32Array(this.#buckets + 1);
    this.#counts = new Uint32Array(this.#buckets);
    this.#full = new Uint8Array(this.#buckets);
  }

  /** The blocks of the traces with a hash: distinct ordinals; undefined: any may have one. */
  add(hash: number, ordinals: readonly number[] | undefined): void {
    const bucket = this.#open(hash);
    if (this.#full[bucket] === 1) return;
    const delta = hash - this.#last;
    assert(delta >= 0, 'hashes are added in their order');
    this.#last = hash;
    this.#room(24 * (MAX_BLOCKS_A_TRACE + 1));
    if (ordinals === undefined || ordinals.length > MAX_BLOCKS_A_TRACE) this.#entry(bucket, delta, 0);
    else {
      let step = delta;
      for (const ordinal of ordinals) {
        assert(ordinal >= this.#first && ordinal < this.#end, 'an ordinal is of the segment');
        this.#entry(bucket, step, ordinal - this.#first + 1);
        step = 0;
      }
    }
    const bytes = this.#length - (this.#starts[bucket] as number);
    if (bytes > MAX_STRIDE - TRAILER_BYTES - 5) this.#fill(bucket);
  }

  /** Nothing is known of the traces with hashes `from … to`. */
  addUnknown(from: number, to: number): void {
    const last = bucketOf(to, this.#buckets);
    for (let bucket = bucketOf(from, this.#buckets); bucket <= last; bucket++) {
      if (this.#full[bucket] === 1) continue;
      this.#full[bucket] = 1;
      if (bucket === this.#bucket) this.#fill(bucket);
    }
  }

  finish(): WrittenSegment {
    this.#open(2 ** 32 - 1);
    this.#starts[this.#buckets] = this.#length;
    // Whoever sends traces can make many of one hash: that must not make every bucket as large.
    const most = Math.max(MIN_MOST_BYTES, (MOST_OF_MEAN * this.#length) / this.#buckets);
    let longest = 0;
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      if (this.#bodyLength(bucket) > most) this.#leaveOut(bucket);
      longest = Math.max(longest, this.#bodyLength(bucket));
    }
    // A multiple of 16, so that few sizes occur; five bytes at most for the number of entries.
    const stride = Math.max(MIN_STRIDE, Math.ceil((longest + 5 + TRAILER_BYTES) / 16) * 16);
    const place = { id: this.#id, first: this.#first, end: this.#end, buckets: this.#buckets, stride };
    const bytes = new Uint8Array(segmentBytes(place));
    this.#header(bytes, stride);
    const view = new DataView(bytes.buffer);
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      const from = HEADER_BYTES + bucket * stride;
      const end = from + stride - TRAILER_BYTES;
      const start = this.#starts[bucket] as number;
      const at = writeVarint(bytes, from, this.#full[bucket] === 1 ? 0 : (this.#counts[bucket] as number) + 1);
      bytes.set(this.#bytes.subarray(start, start + this.#bodyLength(bucket)), at);
      view.setUint32(end, crc32(bytes.subarray(from, end), bucketTag(this.#id, bucket)), true);
    }
    return { ...place, entries: this.#entries, bytes };
  }

  #header(bytes: Uint8Array, stride: number): void {
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint16(4, FORMAT_VERSION, true);
    view.setUint16(6, HEADER_BYTES, true);
    bytes.set(hexToBytes(this.#id.replaceAll('-', '')), 8);
    view.setBigUint64(24, BigInt(this.#first), true);
    view.setBigUint64(32, BigInt(this.#end), true);
    view.setUint32(40, this.#buckets, true);
    view.setUint32(44, stride, true);
    view.setUint32(48, this.#entries, true);
    view.setUint32(HEADER_BYTES - 4, crc32(bytes.subarray(0, HEADER_BYTES - 4)), true);
  }

  #open(hash: number): number {
    const bucket = bucketOf(hash, this.#buckets);
    while (this.#bucket < bucket) {
      this.#starts[++this.#bucket] = this.#length;
      this.#last = bucketBase(this.#bucket, this.#buckets);
    }
    return bucket;
  }

  #entry(bucket: number, delta: number, code: number): void {
    this.#length = writeVarint(this.#bytes, this.#length, delta);
    this.#length = writeVarint(this.#bytes, this.#length, code);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#entries++;
  }

  /** The bucket that is being written gets full. */
  #fill(bucket: number): void {
    this.#length = this.#starts[bucket] as number;
    this.#leaveOut(bucket);
  }

  #leaveOut(bucket: number): void {
    this.#full[bucket] = 1;
    this.#entries -= this.#counts[bucket] as number;
    this.#counts[bucket] = 0;
  }

  #bodyLength(bucket: number): number {
    return this.#full[bucket] === 1 ? 0 : (this.#starts[bucket + 1] as number) - (this.#starts[bucket] as number);
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const bytes = new Uint8Array(2 * (this.#bytes.length + length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** LEB128 of a number below 2^32; where it ends. */
function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest & 127) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}
