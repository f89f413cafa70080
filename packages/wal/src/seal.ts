import { type Files, VivaceError } from '@vivace/kernel';
import type { DiskSegment, DiskStream } from './disk-stream.ts';
import { SegmentScanner } from './segment-scanner.ts';

/**
 * Takes over a stream that was found: reads all of it, cuts a torn tail, makes the rest durable and fills in
 * what is readable, the tenants and the damage. A failure leaves the stream `found`, to be sealed again.
 */
export async function sealStream(files: Files, stream: DiskStream, signal: AbortSignal): Promise<void> {
  const scans: Scan[] = [];
  try {
    for (const segment of stream.segments) scans.push(await scan(files, segment, signal));
    // Only this one can have a tail that was never acknowledged: the next is begun when all of it is synced.
    const last = scans.findLast(({ begun }) => begun);
    if (last) await fix(files, last);
    await files.syncDirectory(stream.directory);
  } catch (error) {
    if (signal.aborted || error instanceof VivaceError) throw error;
    throw new VivaceError('unavailable', 'log-seal', `stream ${stream.id} cannot be taken over now`, { cause: error });
  }
  let expected = scans[0]?.segment.number ?? 0;
  for (const { segment, size, offset, tenants, reason, cut } of scans) {
    if (segment.number > expected) {
      const missing = `segments are missing before segment ${segment.number}: ${segment.number - expected}`;
      stream.damage.push({ segment: expected, offset: 0, bytes: 0, cut: false, reason: missing });
    }
    expected = segment.number + 1;
    if (reason !== undefined) {
      stream.damage.push({ segment: segment.number, offset, bytes: size - offset, cut, reason });
    }
    segment.bytes = cut ? offset : size;
    segment.readableBytes = offset;
    segment.tenants = tenants;
  }
  stream.state = 'sealed';
}

interface Scan {
  segment: DiskSegment;
  size: number;
  /** Up to here the segment is right; 0 when not even its header is. */
  offset: number;
  /** It goes on after its header. */
  begun: boolean;
  tenants: Set<string>;
  reason: string | undefined;
  recordFollows: boolean;
  cut: boolean;
}

async function scan(files: Files, segment: DiskSegment, signal: AbortSignal): Promise<Scan> {
  signal.throwIfAborted();
  const file = await files.open(segment.file);
  try {
    const size = await file.size();
    const scanner = new SegmentScanner(file, size);
    const tenants = new Set<string>();
    await scanner.begin(segment.stream.id, segment.number);
    for (let record = await scanner.next(); record; record = await scanner.next()) {
      signal.throwIfAborted();
      tenants.add(record.tenant);
    }
    const { offset, begun, damage: reason } = scanner;
    const recordFollows = reason !== undefined && (await scanner.recordFollows());
    return { segment, size, offset, begun, tenants, reason, recordFollows, cut: false };
  } finally {
    await file.close();
  }
}

/** Cuts the torn tail, if it is one, and syncs in any case: what was read from memory must stay. */
async function fix(files: Files, last: Scan): Promise<void> {
  last.cut = last.reason !== undefined && !last.recordFollows;
  await files.truncate(last.segment.file, last.cut ? last.offset : last.size);
}
