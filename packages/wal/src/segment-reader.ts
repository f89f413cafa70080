import { dataError, type Files, systemErrorCode, VivaceError } from '@vivace/kernel';
import type { DiskSegment } from './disk-stream.ts';
import type { LogRecord, SegmentPosition } from './log.ts';
import { SegmentScanner } from './segment-scanner.ts';

/** The records of a segment, as `WriteAheadLog.read` has it; `segment` is undefined when the log holds none there. */
export async function* readSegment(
  files: Files,
  at: SegmentPosition,
  segment: DiskSegment | undefined,
  signal: AbortSignal,
  tenant: string | undefined,
): AsyncGenerator<LogRecord> {
  if (!segment) throw notFound(at);
  const end = segment.readableBytes;
  if (end === 0) return;
  signal.throwIfAborted();
  const file = await files.open(segment.file).catch((error: unknown) => {
    throw translated(at, error);
  });
  try {
    const scanner = new SegmentScanner(file, end ?? (await file.size()));
    let record = (await scanner.begin(at.stream, at.segment)) ? await scanner.next() : undefined;
    for (; record; record = await scanner.next()) {
      signal.throwIfAborted();
      if (tenant === undefined || tenant === record.tenant) yield record;
    }
    if (scanner.damage !== undefined) {
      throw dataError('log-segment', `${scanner.damage}: ${name(at)} at byte ${scanner.offset}`);
    }
  } catch (error) {
    throw translated(at, error);
  } finally {
    await file.close().catch(() => undefined);
  }
}

function name({ stream, segment }: SegmentPosition): string {
  return `segment ${segment} of stream ${stream}`;
}

function notFound(at: SegmentPosition, cause?: unknown): VivaceError {
  return new VivaceError('not-found', 'log-segment-gone', `${name(at)} is gone`, { cause });
}

/** Errors of the file system in our words; everything else stays what it is. */
function translated(at: SegmentPosition, error: unknown): unknown {
  const code = systemErrorCode(error);
  if (code === undefined || error instanceof VivaceError) return error;
  if (code === 'ENOENT') return notFound(at, error);
  return new VivaceError('unavailable', 'log-read', `${name(at)} cannot be read now: ${code}`, { cause: error });
}
