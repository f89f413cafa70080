import { utf8Decode, utf8Encode } from '@vivace/kernel';
import type { BlockEntry } from '../block-entry.ts';

/*
 * A record of the simulation is a number, in which everything is that parts of the protocol go by: when it was sent,
 * whether its own time is impossible, to which trace it belongs, and whether a rule keeps that longer.
 */

const EPOCH_MS = 1_790_000_000_000;
const SEQUENCES = 4096;

/** The record with this number of its run. */
export function makeRecord(sentMs: number, sequence: number): number {
  return Math.floor((sentMs - EPOCH_MS) / 1000) * SEQUENCES + (sequence % SEQUENCES);
}

/** In whole seconds, so never later than it was. */
export function sentMs(record: number): number {
  return EPOCH_MS + Math.floor(record / SEQUENCES) * 1000;
}

/** Its clock is wrong: it says 1970. */
export function isMisdated(record: number): boolean {
  return (record % SEQUENCES) % 11 === 3;
}

/** A rule keeps its trace longer. */
export function isFailed(record: number): boolean {
  return (record % SEQUENCES) % 5 === 1;
}

export function traceOf(record: number): number {
  return Math.floor((record % SEQUENCES) / 3);
}

/** How a record looks in the log. */
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

/** The entry of such a block; misdated where all of its records are. */
export function blockContent(
  bytes: Uint8Array,
  rows: number,
): Pick<BlockEntry, 'sections' | 'rows' | 'traces' | 'minStart' | 'maxEnd' | 'filterBytes' | 'misdated'> {
  const place = { object: 'block', offset: 0, length: bytes.length };
  const sections = { spans: place, events: place, resources: place, traces: place, filter: place, index: place };
  const times = decodeBlock(bytes).map((record) => (isMisdated(record) ? 0n : BigInt(sentMs(record)) * 1_000_000n));
  const [first = 0n] = times;
  const minStart = times.reduce((least, time) => (time < least ? time : least), first);
  const maxEnd = times.reduce((most, time) => (time > most ? time : most), first);
  const misdated = times.length > 0 && maxEnd === 0n;
  return { sections, rows, traces: rows, minStart, maxEnd, filterBytes: 0, ...(misdated && { misdated }) };
}
