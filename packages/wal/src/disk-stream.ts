import path from 'node:path';
import { type Files, isUuidV7 } from '@vivace/kernel';
import { encodeSegmentHeader, parseSegmentFileName, segmentFileName, segmentHeaderCrc } from './layout.ts';
import type { SegmentDamage, SegmentState } from './log.ts';

/** A stream on the disk. */
export interface DiskStream {
  /** UUIDv7 */
  id: string;
  directory: string;
  /**
   * `open`: this process appends to it. `found`: of a dead process, as it was at the start. `sealed`: nobody
   * appends to it and what it holds is known.
   */
  state: 'open' | 'found' | 'sealed';
  /** Ascending. */
  segments: DiskSegment[];
  /** What `seal` found. */
  damage: SegmentDamage[];
  /** Monotonic time at which it was opened; of no meaning for a found one. */
  openedMs: number;
}

export interface DiskSegment {
  stream: DiskStream;
  number: number;
  file: string;
  /** Of the file; for a segment of ours with what is on the way to it. */
  bytes: number;
  /** Where reading ends: what is durable of a segment of ours, what `seal` found to be right of another's. */
  readableBytes: number | undefined;
  /** With records that are readable. */
  tenants: Set<string>;
}

/** A segment that records are appended to. */
export interface OpenSegment extends DiskSegment {
  header: Uint8Array;
  /** The checksum of the header. */
  seed: number;
  /** Appended, durable or not. */
  records: number;
}

export function newStream(directory: string, id: string, openedMs: number): DiskStream {
  return { id, directory: path.join(directory, id), state: 'open', segments: [], damage: [], openedMs };
}

export function newSegment(stream: DiskStream, number: number, nonce: Uint8Array, blockBytes: number): OpenSegment {
  const header = encodeSegmentHeader(stream.id, number, nonce, { blockBytes });
  return {
    stream,
    number,
    file: path.join(stream.directory, segmentFileName(number)),
    bytes: header.length,
    readableBytes: 0,
    tenants: new Set(),
    header,
    seed: segmentHeaderCrc(header),
    records: 0,
  };
}

/**
 * The streams in a log's directory, by id. Names that are not the log's are told to `onUnknown` and left alone.
 */
export async function findStreams(
  files: Files,
  directory: string,
  onUnknown: (file: string) => void,
): Promise<Map<string, DiskStream>> {
  const ids: string[] = [];
  for (const entry of await files.readDirectory(directory)) {
    if (entry.directory && isUuidV7(entry.name)) ids.push(entry.name);
    else onUnknown(path.join(directory, entry.name));
  }
  const streams = new Map<string, DiskStream>();
  for (const id of ids.sort((a, b) => (a < b ? -1 : 1))) {
    const stream = await findStream(files, directory, id, onUnknown);
    if (stream) streams.set(id, stream);
  }
  return streams;
}

async function findStream(
  files: Files,
  directory: string,
  id: string,
  onUnknown: (file: string) => void,
): Promise<DiskStream | undefined> {
  const stream: DiskStream = { ...newStream(directory, id, 0), state: 'found' };
  const entries = await files.readDirectory(stream.directory);
  if (entries.length === 0) {
    await files.removeDirectory(stream.directory).catch(() => undefined);
    return undefined;
  }
  for (const entry of entries) {
    const file = path.join(stream.directory, entry.name);
    const number = entry.directory ? undefined : parseSegmentFileName(entry.name);
    if (number === undefined) {
      onUnknown(file);
      continue;
    }
    const { size } = await files.stat(file);
    stream.segments.push({ stream, number, file, bytes: size, readableBytes: undefined, tenants: new Set() });
  }
  stream.segments.sort((a, b) => a.number - b.number);
  return stream;
}

export function segmentState(segment: DiskSegment, tenantsOnTheWay: readonly string[] = []): SegmentState {
  const tenants = new Set([...segment.tenants, ...tenantsOnTheWay]);
  return { segment: segment.number, bytes: segment.bytes, tenants: [...tenants] };
}
