import { VivaceError } from '@vivace/kernel';
import type { ByteRange } from './object-store.ts';

/** Where the file-system store writes before it commits; no key may start here. */
export const RESERVED_SEGMENT = '.tmp';

const MAX_KEY_LENGTH = 900;
const MAX_SEGMENT_LENGTH = 255;
const MAX_PAGE = 1000;

const segmentPattern = /^[A-Za-z0-9!$%'()*+,\-.=@_~]+$/;

/** Whether a key may be used in any store; the alphabet is at ObjectStore. */
export function isKey(key: string): boolean {
  if (key.length > MAX_KEY_LENGTH) return false;
  const segments = key.split('/');
  return segments[0] !== RESERVED_SEGMENT && segments.every(isSegment);
}

/** Throws `invalid` (code `key-invalid`) for what is not a key. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new VivaceError('invalid', 'key-invalid', `not a key of an object: ${quoted(key)}`);
}

/** A prefix is the beginning of a key, or empty: whole segments, then a part of one. */
export function checkPrefix(prefix: string): void {
  const segments = prefix.split('/');
  const last = segments.pop() as string;
  const good =
    prefix.length <= MAX_KEY_LENGTH && segments.every(isSegment) && (last === '' || segmentPattern.test(last));
  if (!good) throw new VivaceError('invalid', 'key-invalid', `not the beginning of a key: ${quoted(prefix)}`);
}

/** The page size to use; throws `invalid` (code `list-limit`) for one that is not a whole number above 0. */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return MAX_PAGE;
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new VivaceError('invalid', 'list-limit', `a list needs a limit of at least 1, not ${limit}`);
  }
  return Math.min(limit, MAX_PAGE);
}

/** Throws `invalid` (code `range-invalid`) for a range that no object could answer. */
export function checkRange(key: string, range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { offset, length } = range;
  if (Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 1) return;
  throw new VivaceError('invalid', 'range-invalid', `not a range of ${key}: ${length} bytes from ${offset}`);
}

function isSegment(segment: string): boolean {
  return segment.length <= MAX_SEGMENT_LENGTH && segmentPattern.test(segment) && segment !== '.' && segment !== '..';
}

/** Text from outside, short and without control characters. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
