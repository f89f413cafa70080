import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, seededRandom, systemClock } from '@vivace/kernel';
import {
  createFileStore,
  createMemoryStore,
  createRetryingStore,
  createS3Store,
  type ObjectStore,
} from '@vivace/object-store';
import { createFaultyStore, type S3Target, seededFaults, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll } from 'vitest';
import { openBucketLog } from './bucket-log.ts';
import { describeLog, type LogHarness } from './testing.ts';

/** The processes of a harness come after each other and have one name. */
function harnessOf(store: ObjectStore, close: () => Promise<void> = async () => undefined): LogHarness {
  const random = seededRandom(1);
  return {
    open: () =>
      openBucketLog({
        store,
        clock: systemClock,
        random,
        instance: 'test',
        limits: { segmentMaxBytes: 64 * 1024, batchMaxDelayMs: 5 },
      }),
    close,
  };
}

/** A clock of the store that never stands still, so that ids made one after another ascend. */
function tickingClock(): Clock {
  let ticks = 0;
  return { ...systemClock, nowMs: () => systemClock.nowMs() + ticks++ };
}

describeLog('bucket in memory', async () => harnessOf(createMemoryStore({ clock: tickingClock() })));

describeLog('bucket that fails often', async () => {
  const faulty = createFaultyStore(createMemoryStore({ clock: tickingClock() }), {
    plan: seededFaults({ random: seededRandom(7), rate: 0.2, maxDelayMs: 5 }),
  });
  return harnessOf(createRetryingStore(faulty, { maxDelayMs: 5 }), () => faulty.settle());
});

describeLog('bucket in a directory', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'vivace-log-'));
  const store = await createFileStore({ directory });
  return harnessOf(store, async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
});

let target: S3Target;
let buckets = 0;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

describeLog('bucket over S3', async () => {
  const { bucket, endpoint, region, credentials } = target;
  const prefix = `log-${buckets++}`;
  const store = await createS3Store({ bucket, prefix, endpoint, region, credentials });
  return harnessOf(store, () => store.close());
});
