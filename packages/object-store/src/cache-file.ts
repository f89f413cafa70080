import { createHash } from 'node:crypto';
import { concatBytes, crc32, utf8Decode, utf8Encode } from '@vivace/kernel';
import type { ByteRange, StoredObject } from './object-store.ts';

/**
 * A file of the disk cache: the bytes of an object or of a range of it, what the store said of the object, and a
 * checksum over both. It is named after the key, the range and its own length, so that a list of names is an index.
 *
 * ```
 * bytes | JSON { key, offset, whole, size, etag, lastModifiedMs, storeTimeMs } | length of the JSON, u32 | CRC-32, u32 | "vvc1"
 * ```
 *
 * Numbers are little-endian. The bytes come first, so that they lie at the start of the memory that they are read into.
 */
export interface CacheFileName {
  /** Stands for the key. */
  object: string;
  offset: number;
  length: number;
  /** The range is all of the object. */
  isWhole: boolean;
  fileBytes: number;
}

const MAGIC = utf8Encode('vvc1');
const TAIL_BYTES = 12;
/** A key of 900 bytes and an ETag, escaped. */
const MAX_DESCRIPTION_BYTES = 16 * 1024;
const NAME = /^([0-9a-f]{32})\.(\d{1,16})-(\d{1,10})(w?)\.(\d{1,10})$/;

interface Description {
  key: string;
  offset: number;
  whole: boolean;
  size: number;
  etag: string;
  lastModifiedMs: number;
  storeTimeMs: number;
}

/** Half of a SHA-256: keys are up to 900 bytes, names of files 255, and no two keys may share one. */
export function cacheObjectName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

export function formatCacheFileName({ object, offset, length, isWhole, fileBytes }: CacheFileName): string {
  return `${object}.${offset}-${length}${isWhole ? 'w' : ''}.${fileBytes}`;
}

/** Undefined for what is not the name of a file of the cache. */
export function parseCacheFileName(name: string): CacheFileName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, object = '', offset, length, whole, fileBytes] = match;
  const parsed = {
    object,
    offset: Number(offset),
    length: Number(length),
    isWhole: whole === 'w',
    fileBytes: Number(fileBytes),
  };
  const more = parsed.fileBytes - parsed.length;
  const isOurs = more >= TAIL_BYTES && more <= TAIL_BYTES + MAX_DESCRIPTION_BYTES;
  return isOurs && Number.isSafeInteger(parsed.offset + parsed.length) ? parsed : undefined;
}

/** A copy of what a store answered to a get of `range`, or of everything. */
export function encodeCacheFile(object: StoredObject, range: ByteRange | undefined): Uint8Array {
  const { key, size, etag, lastModifiedMs, storeTimeMs, bytes } = object;
  const description: Description = {
    key,
    offset: range?.offset ?? 0,
    whole: range === undefined,
    size,
    etag,
    lastModifiedMs,
    storeTimeMs,
  };
  const file = concatBytes([bytes, utf8Encode(JSON.stringify(description)), new Uint8Array(TAIL_BYTES)]);
  const tail = new DataView(file.buffer, file.length - TAIL_BYTES);
  tail.setUint32(0, file.length - TAIL_BYTES - bytes.length, true);
  tail.setUint32(4, crc32(file.subarray(0, file.length - 8)), true);
  file.set(MAGIC, file.length - MAGIC.length);
  return file;
}

/** Undefined for anything but the whole file of that name and key: it was torn, damaged or written by others. */
export function decodeCacheFile(file: Uint8Array, name: CacheFileName, key: string): StoredObject | undefined {
  if (file.length !== name.fileBytes || file.length < name.length + TAIL_BYTES) return undefined;
  const tail = new DataView(file.buffer, file.byteOffset + file.length - TAIL_BYTES, TAIL_BYTES);
  const descriptionBytes = tail.getUint32(0, true);
  if (descriptionBytes !== file.length - TAIL_BYTES - name.length) return undefined;
  if (MAGIC.some((byte, i) => tail.getUint8(8 + i) !== byte)) return undefined;
  if (tail.getUint32(4, true) !== crc32(file.subarray(0, file.length - 8))) return undefined;
  const { offset, whole, ...described } = JSON.parse(
    utf8Decode(file.subarray(name.length, name.length + descriptionBytes)),
  ) as Description;
  if (described.key !== key || offset !== name.offset || whole !== name.isWhole) return undefined;
  return { ...described, bytes: file.subarray(0, name.length), notModified: false };
}
