import { promises as fs, readdirSync } from 'node:fs';
import path from 'node:path';
import { seededRandom } from '@vivace/kernel';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { checkTraces, pause, startLoad } from './harness/load.ts';
import { countOf, metricOf, search } from './harness/query-client.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, temporaryDirectory } from './harness/server.ts';
import { flush } from './harness/traces-client.ts';

// A process over a bucket whose queries keep what they read on a disk: what was asked before a restart is answered after
// it without the bucket, also where the disk has lost some of it, and without a disk.

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

const RANGES = 'vivace_object_store_request_duration_seconds_count{operation="get-range",outcome="ok"}';
const HITS = 'vivace_disk_cache_requests_total{outcome="hit"}';

function cacheFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('lock'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

test('queries after a restart read the disk, and the bucket where the disk fails', { timeout: 120_000 }, async () => {
  const data = temporaryDirectory();
  const cache = temporaryDirectory();
  onTestFinished(() => {
    data.remove();
    cache.remove();
  });
  const env = { ...s3Env(target, { endpoint: target.endpoint, prefix: 'kept' }), VIVACE_COMPACTOR_DISABLED: 'true' };
  const start = async (directory: string) => {
    const server = await startServer({
      dataDir: data.path,
      env: { ...env, VIVACE_QUERIER_DISK_CACHE_PATH: directory, VIVACE_QUERIER_DISK_CACHE_MAX_BYTES: '16MiB' },
    });
    onTestFinished(() => server.kill());
    return server;
  };
  const first = await start(cache.path);
  const load = startLoad({ server: first, random: seededRandom(4), tenants: ['single-tenant'], clients: 2 });
  await pause(1000);
  await load.end();
  await flush(first);
  await first.stop();

  // What a process has cut is in its memory: others read it.
  const answers: unknown[] = [];
  const reads: number[] = [];
  const round = async (directory: string) => {
    const server = await start(directory);
    const { traces } = await search(server, '{ } | select(span.http.url)', { limit: 1000 });
    await checkTraces(server, load.traces.slice(0, 100));
    answers.push([traces.map(({ traceID }) => traceID), await countOf(server, '{ } | count_over_time()')]);
    reads.push(await metricOf(server, RANGES));
    const hits = await metricOf(server, HITS);
    await server.stop();
    return { server, hits };
  };
  await round(cache.path);
  expect(reads[0]).toBeGreaterThan(0);
  expect(cacheFiles(cache.path).length).toBeGreaterThan(0);

  expect((await round(cache.path)).hits).toBeGreaterThan(0);
  expect(reads[1]).toBe(0);

  for (const [i, file] of cacheFiles(cache.path).entries()) {
    if (i % 3 === 0) await fs.truncate(file, 100);
    if (i % 3 === 1) await fs.rm(file);
  }
  await round(cache.path);
  expect(reads[2]).toBeGreaterThan(0);

  // A path that cannot be a directory.
  const { server, hits } = await round(cacheFiles(cache.path)[0] as string);
  expect(hits).toBe(0);
  expect(server.output()).toContain('the disk cache cannot be used');
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
});
