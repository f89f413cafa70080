import { isKind, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { OBJECT_MAX_BYTES, segmentKey } from './bucket-layout.ts';
import { decodeSection, readSegmentEnd } from './bucket-segment.ts';
import type { LogRecord, SegmentPosition } from './log.ts';

/**
 * The records of a segment, as `WriteAheadLog.read` has it. `listed`: the log has the segment; `nothing`: and no
 * record of it is durable. `readObject` reads the object.
 */
export async function* readBucketSegment(
  readObject: () => Promise<Uint8Array>,
  at: SegmentPosition,
  { listed, nothing }: { listed: boolean; nothing: boolean },
  signal: AbortSignal,
  tenant: string | undefined,
): AsyncGenerator<LogRecord> {
  if (!listed) throw notFound(at);
  if (nothing) return;
  signal.throwIfAborted();
  const object = await readObject().catch((error: unknown) => {
    throw isKind(error, 'not-found') ? notFound(at, error) : error;
  });
  const end = readSegmentEnd(at, object, object.length);
  if (end === 'seal') return;
  if (typeof end === 'number') throw new VivaceError('data', 'log-segment', `${name(at)} is shorter than its footer`);
  for (const section of end.sections) {
    if (tenant !== undefined && tenant !== section.tenant) continue;
    for (const record of decodeSection(object, section, end.seed)) {
      signal.throwIfAborted();
      yield record;
    }
  }
}

/** The whole object of a segment, of which it is not known how large it is. */
export async function readSegmentObject(
  store: ObjectStore,
  at: SegmentPosition,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = segmentKey(at);
  const { size } = await store.head(key, { signal });
  checkObjectSize(at, size);
  return (await store.get(key, { signal })).bytes;
}

/** The whole object of a segment that was listed with its size: an object larger than that is not read. */
export async function readListedObject(
  store: ObjectStore,
  at: SegmentPosition,
  size: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  checkObjectSize(at, size);
  try {
    return (await store.get(segmentKey(at), { range: { offset: 0, length: Math.max(1, size) }, signal })).bytes;
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    throw new VivaceError('data', 'log-segment', `${name(at)} is smaller than it was listed`, { cause: error });
  }
}

function checkObjectSize(at: SegmentPosition, size: number): void {
  if (size > OBJECT_MAX_BYTES) throw new VivaceError('data', 'log-segment', `${name(at)} has ${size} bytes`);
}

function name({ stream, segment }: SegmentPosition): string {
  return `segment ${segment} of stream ${stream}`;
}

function notFound(at: SegmentPosition, cause?: unknown): VivaceError {
  return new VivaceError('not-found', 'log-segment-gone', `${name(at)} is gone`, { cause });
}
