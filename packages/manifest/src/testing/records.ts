import { utf8Decode, utf8Encode } from '@vivace/kernel';
import type { BlockEntry } from '../block-entry.ts';

/** A record of the simulation is a number; this is how it looks in the log and in a block. */
export function encodeRecord(record: number): Uint8Array {
  return utf8Encode(String(record));
}

export function decodeRecord(bytes: Uint8Array): number {
  return Number(utf8Decode(bytes));
}

/** The one object, named `block`, of a block that holds these records. */
export function encodeBlock(records: readonly number[]): Uint8Array {
  return utf8Encode(JSON.stringify(records));
}

export function decodeBlock(bytes: Uint8Array): number[] {
  return JSON.parse(utf8Decode(bytes)) as number[];
}

/** The entry of such a block. */
export function blockContent(
  bytes: Uint8Array,
  rows: number,
): Pick<BlockEntry, 'sections' | 'rows' | 'traces' | 'minStart' | 'maxEnd' | 'filterBytes'> {
  const place = { object: 'block', offset: 0, length: bytes.length };
  const sections = { spans: place, events: place, resources: place, traces: place, filter: place, index: place };
  return { sections, rows, traces: rows, minStart: 0n, maxEnd: 1n, filterBytes: 0 };
}
