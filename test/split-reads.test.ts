import { seededRandom } from '@vivace/kernel';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { acknowledgedSpans, checkTraces, type LoadedTrace, pause, startLoad } from './harness/load.ts';
import { ask, countOf, metricOf, search } from './harness/query-client.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush } from './harness/traces-client.ts';

/*
 * A distributor, two ingesters, two queriers and a query-frontend, each a process of its own, on one bucket. What was
 * acknowledged is found at once through the frontend, by id and by queries, whatever is cut meanwhile; a querier that is
 * killed is not noticed, nor an ingester, whose log the queriers read; where they have no room for it, what it has is said
 * to be missing.
 */

const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
const TENANTS = ['shop', 'games'];

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

async function startAll(prefix: string, ofQueriers: Record<string, string> = {}) {
  const env = { ...s3Env(target, { endpoint: target.endpoint, prefix }), VIVACE_MULTITENANCY_ENABLED: 'true' };
  const started: TestServer[] = [];
  const start = async (kind: string, name: string, more: Record<string, string> = {}): Promise<TestServer> => {
    const directory = temporaryDirectory();
    onTestFinished(() => directory.remove());
    const server = await startServer({
      dataDir: directory.path,
      flags: ['--target', kind],
      env: { ...env, VIVACE_INGESTER_INSTANCE_NAME: name, ...more },
    });
    started.push(server);
    onTestFinished(() => server.kill());
    return server;
  };
  const ingesters = await Promise.all([start('ingester', 'one'), start('ingester', 'two')]);
  const toIngesters = { VIVACE_INGESTER_CLIENT_ADDRESSES: ingesters.map(({ grpc }) => grpc).join(',') };
  const distributor = await start('distributor', 'distributor', toIngesters);
  const toThem = { ...toIngesters, ...ofQueriers };
  const queriers = [await start('querier', 'q1', toThem), await start('querier', 'q2', toThem)] as const;
  const toQueriers = { VIVACE_QUERIER_CLIENT_ADDRESSES: queriers.map(({ grpc }) => grpc).join(',') };
  const frontend = await start('query-frontend', 'frontend', toQueriers);
  const output = () => started.map((server) => server.output().slice(-3000)).join('\n---\n');
  return { ingesters, distributor, queriers, frontend, output };
}

/** Throws unless searches and metrics have all of what was acknowledged, and say that they are whole. */
async function checkQueries(server: TestServer, traces: readonly LoadedTrace[]): Promise<void> {
  for (const tenant of TENANTS) {
    const own = traces.filter((trace) => trace.tenant === tenant && trace.acknowledged.size > 0);
    const found = await search(server, '{ }', { limit: 10_000 }, { tenant });
    const ids = new Set(found.traces.map(({ traceID }) => traceID.padStart(32, '0')));
    for (const { traceId } of own) expect(ids.has(traceId), `trace ${traceId} of ${tenant}`).toBe(true);
    const spans = own.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
    const counted = await countOf(server, '{ } | count_over_time()', { tenant });
    expect(counted).toBeGreaterThanOrEqual(spans);
    const answer = await ask(server, '/api/search', { q: '{ }' }, { tenant });
    expect([answer.status, answer.partial]).toEqual([200, undefined]);
  }
}

test('what was acknowledged is found at once through a frontend, while it is cut, and when a querier is killed', {
  timeout: 240_000,
}, async () => {
  console.info(`VIVACE_TEST_SEED=${SEED}`);
  const { ingesters, distributor, queriers, frontend, output } = await startAll('reads');
  try {
    const load = startLoad({ server: distributor, random: seededRandom(SEED), tenants: TENANTS, clients: 2 });
    let checked = 0;
    for (let round = 0; round < 6; round++) {
      await pause(700);
      // Half of the rounds just after, and some while, everything is cut.
      const cut = round % 2 === 1 ? Promise.all(ingesters.map((ingester) => flush(ingester))) : Promise.resolve([]);
      checked += await checkTraces(frontend, load.traces.slice(-150));
      await cut;
      checked += await checkTraces(frontend, load.traces.slice(-50));
    }
    expect(checked).toBeGreaterThan(100);
    await load.end();
    await checkQueries(frontend, load.traces);
    await Promise.all(ingesters.map((ingester) => flush(ingester)));
    await checkQueries(frontend, load.traces);
    await checkTraces(frontend, load.traces);

    await queriers[0].kill();
    for (let i = 0; i < 10; i++) await checkQueries(frontend, load.traces);
    expect(await metricOf(frontend, 'vivace_query_frontend_retries_total')).toBeGreaterThan(0);
    console.info(`${acknowledgedSpans(load)} spans, ${checked} lookups while they came`);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});

test('what a killed ingester has in no block is read from its log', { timeout: 120_000 }, async () => {
  const { ingesters, distributor, queriers, frontend, output } = await startAll('log');
  try {
    const load = startLoad({ server: distributor, random: seededRandom(SEED), tenants: TENANTS, clients: 2 });
    await pause(1500);
    await (ingesters[0] as TestServer).kill();
    await pause(1500);
    await load.end();
    await checkQueries(frontend, load.traces);
    expect(await checkTraces(frontend, load.traces)).toBeGreaterThan(10);
    const unknown = await ask(frontend, `/api/traces/${'ab'.repeat(16)}`, {}, { tenant: 'shop' });
    expect(unknown.status).toBe(404);
    const read = await Promise.all(queriers.map((querier) => metricOf(querier, 'vivace_querier_log_reads_total')));
    expect(Math.max(...read)).toBeGreaterThan(0);
    const failed = queriers.map((querier) => metricOf(querier, 'vivace_querier_log_read_failures_total'));
    expect(await Promise.all(failed)).toEqual([0, 0]);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});

test('what a killed ingester has in no block is said to be missing where it does not fit', {
  timeout: 120_000,
}, async () => {
  const { ingesters, distributor, frontend, output } = await startAll('missing', {
    VIVACE_QUERIER_LOG_HEADS_BYTES: '1KiB',
  });
  try {
    const load = startLoad({ server: distributor, random: seededRandom(SEED), tenants: ['shop'], clients: 2 });
    await pause(1500);
    await load.end();
    await (ingesters[0] as TestServer).kill();
    const refused = await ask(frontend, '/api/search', { q: '{ }' }, { tenant: 'shop' });
    expect(refused.status).toBe(503);
    const answer = await ask(frontend, '/api/search', { q: '{ }', partial: 'true' }, { tenant: 'shop' });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.partial).toMatch(/no ingester answers for what is not in blocks yet of stream .*log_heads_bytes/);
    const unknown = await ask(frontend, `/api/traces/${'ab'.repeat(16)}`, {}, { tenant: 'shop' });
    expect(unknown.status).toBe(503);
    const second = await ask(frontend, `/api/v2/traces/${'ab'.repeat(16)}`, {}, { tenant: 'shop' });
    expect(second.text).toContain('PARTIAL');
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});
