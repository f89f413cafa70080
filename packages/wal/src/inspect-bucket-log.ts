import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { readFooter } from './bucket-found-stream.ts';
import { LEASES_PREFIX, LOG_PREFIX, parseLeaseKey, parseSegmentKey, RECORD_HEAD_BYTES } from './bucket-layout.ts';
import { readLease } from './bucket-lease-keeper.ts';
import type { InspectedSegment, InspectedStream } from './inspect-log.ts';
import { listPages } from './list-pages.ts';

/** A stream as it lies in the bucket. */
export interface InspectedBucketStream extends InspectedStream {
  /** Undefined where the stream is closed: what is left of it are seals, and segments that came late. */
  lease: InspectedLease | undefined;
  /** Numbers at which somebody who has taken the stream over fixed its end. */
  seals: number[];
}

export interface InspectedLease {
  /** Empty, and 0, where the lease cannot be read. */
  instance: string;
  address: string;
  /** All segments up to here are gone, or about to be. */
  dropped: number;
  /** The process has stopped. */
  released: boolean;
  /** Since it was written last, by the store's clock. Above a minute anybody may take the stream over. */
  ageMs: number;
}

/**
 * Reads the log in a bucket as it is now, beside the processes that write it: seals and changes nothing. Streams come
 * in no order; segments that are dropped meanwhile are left out.
 */
export async function* inspectBucketLog(
  store: ObjectStore,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<InspectedBucketStream> {
  const leases = new Map<string, InspectedLease>();
  for await (const { objects } of listPages(store, LEASES_PREFIX, signal)) {
    for (const { key } of objects) {
      const stream = parseLeaseKey(key);
      const lease = stream === undefined ? undefined : await inspectLease(store, stream, signal);
      if (stream !== undefined && lease !== undefined) leases.set(stream, lease);
    }
  }
  const take = (stream: string): InspectedBucketStream => {
    const lease = leases.get(stream);
    leases.delete(stream);
    return { stream, lease, seals: [], segments: [] };
  };
  let current: InspectedBucketStream | undefined;
  for await (const { objects } of listPages(store, LOG_PREFIX, signal)) {
    for (const { key, size } of objects) {
      const at = parseSegmentKey(key);
      if (at === undefined) continue;
      if (current !== undefined && current.stream !== at.stream) {
        yield current;
        current = undefined;
      }
      current ??= take(at.stream);
      const segment = await inspectSegment(store, at, size, signal);
      if (segment === 'seal') current.seals.push(at.segment);
      else if (segment !== undefined) current.segments.push(segment);
    }
  }
  if (current !== undefined) yield current;
  for (const [stream, lease] of leases) yield { stream, lease, seals: [], segments: [] };
}

async function inspectLease(
  store: ObjectStore,
  stream: string,
  signal: AbortSignal,
): Promise<InspectedLease | undefined> {
  try {
    const { lease, ageMs } = await readLease(store, stream, signal);
    const { instance = '', address = '', dropped = 0, released = false } = lease ?? {};
    return { instance, address, dropped, released, ageMs };
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

async function inspectSegment(
  store: ObjectStore,
  at: { stream: string; segment: number },
  size: number,
  signal: AbortSignal,
): Promise<InspectedSegment | 'seal' | undefined> {
  const segment: InspectedSegment = {
    segment: at.segment,
    bytes: size,
    records: 0,
    tenants: new Map(),
    unread: undefined,
  };
  try {
    const sections = await readFooter(store, at, size, signal);
    if (sections === undefined || sections === 'seal') return sections;
    for (const { tenant, records, rawLength } of sections) {
      segment.tenants.set(tenant, { records, bytes: rawLength - records * RECORD_HEAD_BYTES });
      segment.records += records;
    }
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    segment.unread = { offset: 0, bytes: size, reason: error.message };
  }
  return segment;
}
