import { bytesToHex, crc32, dataError, type VivaceError } from '@vivace/kernel';
import { FORMAT_VERSION, HEADER_BYTES, MAGIC, MAX_BUCKETS, MAX_STRIDE, MIN_STRIDE, TRAILER_BYTES } from './layout.ts';
import { bucketBase, bucketOf, bucketTag, type SegmentPlace, segmentBytes } from './segment-writer.ts';

/** Bytes of a segment that say which blocks may have a trace. Throws `data` for a place that cannot be. */
export function bucketRange(place: SegmentPlace, hash: number): { offset: number; length: number } {
  const { buckets, stride } = checkPlace(place);
  return { offset: HEADER_BYTES + bucketOf(hash, buckets) * stride, length: stride };
}

/**
 * Ordinals of the blocks that may have a trace with a hash; undefined: any of the segment's may. `bytes` are those of
 * its bucket. Throws `data` (code `trace-index`) when they are not what was written.
 */
export function findBlocks(place: SegmentPlace, bytes: Uint8Array, hash: number): number[] | undefined {
  const number = bucketOf(hash, checkPlace(place).buckets);
  const bucket = new BucketCursor(place, number, bytes);
  if (bucket.isFull) return undefined;
  const found: number[] = [];
  for (let more = bucket.skipTo(hash); more && bucket.hash === hash; more = bucket.next()) {
    if (bucket.ordinal === undefined) return undefined;
    found.push(bucket.ordinal);
  }
  return found;
}

/** The bucket of a hash in a segment that is in memory whole. */
export function bucketIn(place: SegmentPlace, segment: Uint8Array, hash: number): Uint8Array {
  const { offset, length } = bucketRange(place, hash);
  return segment.subarray(offset, offset + length);
}

/** Throws `data` for anything but the segment at a place; of the buckets only the place and number are looked at. */
export function checkSegment(place: SegmentPlace, segment: Uint8Array): void {
  if (segment.length !== segmentBytes(checkPlace(place))) throw damaged(place, 'it has another length');
  const view = new DataView(segment.buffer, segment.byteOffset, HEADER_BYTES);
  if (view.getUint32(HEADER_BYTES - 4, true) !== crc32(segment.subarray(0, HEADER_BYTES - 4))) {
    throw damaged(place, 'the checksum of its header is wrong');
  }
  if (view.getUint32(0, true) !== MAGIC) throw damaged(place, 'it does not begin as one');
  const version = view.getUint16(4, true);
  if (version !== FORMAT_VERSION) throw damaged(place, `it is of version ${version}`);
  const isPlaces =
    bytesToHex(segment.subarray(8, 24)) === place.id.replaceAll('-', '') &&
    view.getBigUint64(24, true) === BigInt(place.first) &&
    view.getBigUint64(32, true) === BigInt(place.end) &&
    view.getUint32(40, true) === place.buckets &&
    view.getUint32(44, true) === place.stride;
  if (!isPlaces) throw damaged(place, 'it is another one than the root says');
}

/** The same, of the buckets too. */
export function checkBuckets(place: SegmentPlace, segment: Uint8Array): void {
  checkSegment(place, segment);
  for (let number = 0; number < place.buckets; number++) {
    const base = bucketBase(number, place.buckets);
    const bucket = new BucketCursor(place, number, bucketIn(place, segment, base));
    while (bucket.next());
  }
}

/** Reads the entries of a bucket one by one. */
export class BucketCursor {
  readonly isFull: boolean;
  hash: number;
  /** Undefined: any of the segment's blocks. */
  ordinal: number | undefined;
  readonly #place: SegmentPlace;
  readonly #number: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;
  #left: number;

  constructor(place: SegmentPlace, number: number, bytes: Uint8Array) {
    this.#place = place;
    this.#number = number;
    this.#bytes = bytes;
    this.#end = bytes.length - TRAILER_BYTES;
    if (bytes.length !== place.stride) throw damaged(place, 'a bucket has another length');
    const checksum = new DataView(bytes.buffer, bytes.byteOffset + this.#end, TRAILER_BYTES).getUint32(0, true);
    if (checksum !== crc32(bytes.subarray(0, this.#end), bucketTag(place.id, number))) {
      throw damaged(place, `its bucket ${number} has a wrong checksum`);
    }
    const count = this.#varint();
    this.isFull = count === 0;
    this.#left = Math.max(0, count - 1);
    this.hash = bucketBase(number, place.buckets);
  }

  /**
   * Moves to the first entry whose hash is not smaller; false: there is none. What is skipped is not looked at: the
   * checksum has shown that it is what was written. The hot path of lookups: segment.bench.ts.
   */
  skipTo(wanted: number): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    let hash = this.hash;
    let left = this.#left;
    for (; left > 0; left--) {
      const from = at;
      let byte = bytes[at++] as number;
      let delta = byte & 127;
      for (let scale = 128; byte >= 128 && at < end; scale *= 128) {
        byte = bytes[at++] as number;
        delta += (byte & 127) * scale;
      }
      if (hash + delta >= wanted) {
        at = from;
        break;
      }
      hash += delta;
      while (at < end && (bytes[at++] as number) >= 128);
      if (at >= end) break;
    }
    this.#at = at;
    this.hash = hash;
    this.#left = left;
    return this.next();
  }

  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    this.hash += this.#varint();
    if (this.hash >= 2 ** 32 || bucketOf(this.hash, this.#place.buckets) !== this.#number) {
      throw damaged(this.#place, 'a trace is in the wrong bucket');
    }
    const code = this.#varint();
    const { first, end } = this.#place;
    if (code > end - first) throw damaged(this.#place, 'it names a block that it cannot know');
    this.ordinal = code === 0 ? undefined : first + code - 1;
    return true;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      if (this.#at >= this.#end) break;
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw damaged(this.#place, 'a bucket ends too early');
  }
}

function checkPlace(place: SegmentPlace): SegmentPlace {
  const { buckets, stride } = place;
  if (buckets < 1 || buckets > MAX_BUCKETS || stride < MIN_STRIDE || stride > MAX_STRIDE) {
    throw damaged(place, `it cannot have ${buckets} buckets of ${stride} bytes`);
  }
  return place;
}

function damaged({ id }: SegmentPlace, what: string): VivaceError {
  return dataError('trace-index', `segment ${id} of the trace index cannot be read: ${what}`);
}
