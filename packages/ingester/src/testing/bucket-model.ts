import { type Clock, utf8Decode } from '@vivace/kernel';
import type { CoordinatorOptions, LogFormat } from '@vivace/manifest/testing';
import { type BucketLogLimits, openBucketLog, sweepLog, type WriteAheadLog } from '@vivace/wal';
import { readLeaseObject, readSegmentObject, segmentKey } from '@vivace/wal/testing';

/** A lease is written again when the model says so, or a quiet day would be 8,640 events. */
const LEASE_INTERVAL_MS = 9999;

/** The real log in the simulated bucket. `clock`: its waits end when the model says so. */
export function openModelBucketLog(
  { process, random, store }: CoordinatorOptions,
  clock: Clock,
): Promise<WriteAheadLog> {
  const limits: Partial<BucketLogLimits> = {
    leaseIntervalMs: LEASE_INTERVAL_MS,
    // So that living owners, too, are taken over.
    leaseMaxAgeMs: 20_000,
    // As where processes have parts: their lists of streams are up to 5 s old.
    acceptAfterMs: 10_000,
    batchMaxDelayMs: 250,
    maxInFlight: 1 + (random.u32() % 4),
    segmentMaxBytes: 20 + (random.u32() % 200),
    streamMaxAgeMs: random.u32() % 2 === 0 ? 600_000 : 24 * 3_600_000,
  };
  return openBucketLog({
    store,
    clock: {
      ...process.clock,
      after: (ms, callback) => (ms === LEASE_INTERVAL_MS ? clock : process.clock).after(ms, callback),
    },
    random,
    instance: random.u32() % 4 === 0 ? 'same' : process.name,
    limits,
  });
}

export const bucketLogFormat: LogFormat = {
  segmentKey: (stream, segment) => segmentKey({ stream, segment }),
  records: (key, bytes) => readSegmentObject(key, bytes)?.map((record) => [record.tenant, utf8Decode(record.bytes)]),
  dropped: (lease) => readLeaseObject(lease).dropped,
  // Once: what fails in between is the next sweep's, as in a process. (And a call of one that dies never lets go of its
  // signal, so there is one for each.)
  sweep: async (store) => {
    await sweepLog(store, new AbortController().signal);
  },
};
