import { isKind, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { OBJECT_MAX_BYTES, segmentKey } from './bucket-layout.ts';
import { decodeSection, readSegmentEnd } from './bucket-segment.ts';
import type { LogRecord, SegmentPosition } from './log.ts';

/**
 * The records of a segment, as `WriteAheadLog.read` has it. `listed`: the log has the segment; `nothing`: and no
 * record of it is durable.
 */
export async function* readBucketSegment(
  store: ObjectStore,
  at: SegmentPosition,
  { listed, nothing }: { listed: boolean; nothing: boolean },
  signal: AbortSignal,
  tenant: string | undefined,
): AsyncGenerator<LogRecord> {
  if (!listed) throw notFound(at);
  if (nothing) return;
  signal.throwIfAborted();
  const object = await readObject(store, at, signal);
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

async function readObject(store: ObjectStore, at: SegmentPosition, signal: AbortSignal): Promise<Uint8Array> {
  const key = segmentKey(at);
  try {
    const { size } = await store.head(key, { signal });
    if (size > OBJECT_MAX_BYTES) throw new VivaceError('data', 'log-segment', `${name(at)} has ${size} bytes`);
    return (await store.get(key, { signal })).bytes;
  } catch (error) {
    if (isKind(error, 'not-found')) throw notFound(at, error);
    throw error;
  }
}

function name({ stream, segment }: SegmentPosition): string {
  return `segment ${segment} of stream ${stream}`;
}

function notFound(at: SegmentPosition, cause?: unknown): VivaceError {
  return new VivaceError('not-found', 'log-segment-gone', `${name(at)} is gone`, { cause });
}
