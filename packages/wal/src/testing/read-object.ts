import { parseSegmentKey } from '../bucket-layout.ts';
import { decodeLease, type Lease } from '../bucket-lease.ts';
import { decodeSection, readSegmentEnd } from '../bucket-segment.ts';
import type { LogRecord } from '../log.ts';

/** The records of an object below `wal/`, for who looks into a bucket from outside; undefined for a seal. */
export function readSegmentObject(key: string, bytes: Uint8Array): LogRecord[] | undefined {
  const at = parseSegmentKey(key);
  if (at === undefined) throw new Error(`not the key of a segment: ${key}`);
  const end = readSegmentEnd(at, bytes, bytes.length);
  if (end === 'seal') return undefined;
  if (typeof end === 'number') throw new Error(`a segment is too short: ${key}`);
  return end.sections.flatMap((section) => [...decodeSection(bytes, section, end.seed)]);
}

export function readLeaseObject(bytes: Uint8Array): Lease {
  return decodeLease(bytes);
}
