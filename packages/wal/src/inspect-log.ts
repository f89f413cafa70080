import { type Files, systemErrorCode, VivaceError } from '@vivace/kernel';
import { findStreams } from './disk-stream.ts';
import { SegmentScanner } from './segment-scanner.ts';

/** A stream as it lies on the disk. */
export interface InspectedStream {
  stream: string;
  /** Ascending. */
  segments: InspectedSegment[];
}

export interface InspectedSegment {
  segment: number;
  bytes: number;
  records: number;
  /** Records and bytes of requests, by tenant. */
  tenants: Map<string, { records: number; bytes: number }>;
  /** Why reading ended before the end of the file: a group that is being written, or damage. */
  unread: { offset: number; bytes: number; reason: string } | undefined;
}

/**
 * Reads a log's directory as it is now, beside the process that writes it: takes no lock, seals and changes nothing.
 * Segments that are dropped meanwhile are left out. Rejects with `unavailable` where there is no such directory.
 */
export async function* inspectDiskLog(
  directory: string,
  { files, signal }: { files: Files; signal: AbortSignal },
): AsyncGenerator<InspectedStream> {
  const streams = await findStreams(files, directory, () => undefined).catch((error: unknown) => {
    const code = systemErrorCode(error) ?? 'unknown';
    throw new VivaceError('unavailable', 'log-open', `there is no log to read (${code}): ${directory}`, {
      cause: error,
    });
  });
  for (const { id, segments } of streams.values()) {
    const found: InspectedSegment[] = [];
    for (const { file, number } of segments) {
      signal.throwIfAborted();
      const segment = await inspectSegment(files, file, id, number, signal);
      if (segment !== undefined) found.push(segment);
    }
    yield { stream: id, segments: found };
  }
}

async function inspectSegment(
  files: Files,
  file: string,
  stream: string,
  number: number,
  signal: AbortSignal,
): Promise<InspectedSegment | undefined> {
  const open = await files.open(file).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (open === undefined) return undefined;
  try {
    const bytes = await open.size();
    const segment: InspectedSegment = { segment: number, bytes, records: 0, tenants: new Map(), unread: undefined };
    const scanner = new SegmentScanner(open, bytes);
    let record = (await scanner.begin(stream, number)) ? await scanner.next() : undefined;
    for (; record !== undefined; record = await scanner.next()) {
      signal.throwIfAborted();
      const tenant = segment.tenants.get(record.tenant) ?? { records: 0, bytes: 0 };
      tenant.records++;
      tenant.bytes += record.bytes.length;
      segment.tenants.set(record.tenant, tenant);
      segment.records++;
    }
    if (scanner.damage !== undefined) {
      segment.unread = { offset: scanner.offset, bytes: bytes - scanner.offset, reason: scanner.damage };
    }
    return segment;
  } finally {
    await open.close();
  }
}
