import { systemClock, systemRandom } from '@vivace/kernel';
import { createS3Store } from '@vivace/object-store';
import { createCountingStore, startS3Process } from '@vivace/object-store/testing';
import { openBucketLog } from './index.ts';
import { LOADS, measureLog } from './testing/measure-log.ts';

/*
 * What the log costs in a bucket: `node packages/wal/src/bucket-log.bench.ts`, on an S3 server in a process of its own,
 * whose CPU is not counted. Signing and HTTP are.
 */

for (const load of LOADS) {
  const server = await startS3Process();
  const { bucket, endpoint, region, credentials } = server;
  const store = await createS3Store({ bucket, endpoint, region, credentials });
  const counting = createCountingStore(store);
  try {
    const log = await openBucketLog({ store: counting, clock: systemClock, random: systemRandom, instance: 'bench' });
    await measureLog(load, log, { what: 'puts', flushes: () => counting.counts.puts });
  } finally {
    await store.close();
    await server.close();
  }
}
