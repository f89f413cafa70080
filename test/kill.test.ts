import { readdirSync } from 'node:fs';
import path from 'node:path';
import { bytesToHex, fraction, type Random, seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { encodeSpanLoad, fetchSpanIds, postSpans, type TraceSpans } from './harness/span-load.ts';
import { flush } from './harness/traces-client.ts';

/*
 * `kill -9` at random moments under load, on one data directory. Clients do what exporters do: they send a request
 * again, to the next process too, until it is taken. In the end every span that was acknowledged is there, once.
 */

const KILLS = Number(process.env['VIVACE_TEST_KILLS'] ?? 10);
const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
const CLIENTS = 6;
const TENANTS = ['shop', 'Shop', 'games'];
/** Cuts by size and by age, commits and drops many times in a life of a second or two. */
const SMALL_AND_OFTEN = {
  VIVACE_MULTITENANCY_ENABLED: 'true',
  VIVACE_INGESTER_CUT_INTERVAL: '1s',
  VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: '1s',
  VIVACE_INGESTER_GENERATION_MAX_BYTES: '1MiB',
  VIVACE_INGESTER_HEADS_MAX_BYTES: '32MiB',
  VIVACE_INGESTER_WAL_SEGMENT_MAX_BYTES: '64KiB',
};

interface SentTrace {
  tenant: string;
  traceId: string;
  sent: Set<string>;
  acknowledged: Set<string>;
}

interface Load {
  random: Random;
  server: TestServer;
  ended: boolean;
  traces: SentTrace[];
  requests: number;
}

test(`what was acknowledged before ${KILLS} kills is there, once`, { timeout: 60_000 + KILLS * 6000 }, async () => {
  console.info(`VIVACE_TEST_SEED=${SEED} VIVACE_TEST_KILLS=${KILLS}`);
  const random = seededRandom(SEED);
  const directory = temporaryDirectory();
  const start = () => startServer({ dataDir: directory.path, env: SMALL_AND_OFTEN });
  const load: Load = { random, server: await start(), ended: false, traces: [], requests: 0 };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => runClient(load, TENANTS[i % 3] as string)));
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      // At times in the midst of the replay.
      await pause(random.u32() % 4 === 0 ? fraction(random) * 150 : 150 + fraction(random) * 1300);
      await load.server.kill();
      load.server = await start();
      await checkSome(load);
    }
    await pause(300);
    load.ended = true;
    await clients;
    await checkAll(
      load.server,
      load.traces.filter((_, i) => i % 4 === 0),
    );
    await flush(load.server);
    await checkAll(load.server, load.traces);
    const blocks = countBlocks(directory.path);
    const spans = load.traces.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
    console.info(`${spans} spans in ${load.traces.length} traces, ${load.requests} requests, ${blocks} blocks`);
    expect(blocks).toBeGreaterThan(KILLS);
    expect(readdirSync(path.join(directory.path, 'wal')).filter((name) => name.length === 36).length).toBeLessThan(2);
    expect(spans).toBeGreaterThan(100 * KILLS);
    expect(await load.server.stop()).toBe(0);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${load.server.output().slice(-4000)}`, {
      cause: error,
    });
  } finally {
    load.ended = true;
    await load.server.kill();
    await clients.catch(() => undefined);
    directory.remove();
  }
});

/** Sends small and large requests, one after another, each until it is taken or the load ends. */
async function runClient(load: Load, tenant: string): Promise<void> {
  const { random } = load;
  let trace = newTrace(load, tenant);
  while (!load.ended) {
    const touched = random.u32() % 25 === 0 ? Array.from({ length: 15 }, () => newTrace(load, tenant)) : [trace];
    const spans = touched.map((of): [SentTrace, string[]] => [of, newSpans(of, 1 + (random.u32() % 40), random)]);
    if (random.u32() % 12 === 0) trace = newTrace(load, tenant);
    const request: TraceSpans[] = spans.map(([{ traceId }, spanIds]) => ({ traceId, spanIds }));
    const body = encodeSpanLoad(request, touched.length > 1 ? 1000 : random.u32() % 200);
    while (!load.ended && (await postSpans(load.server, tenant, body)) !== 'taken') await pause(30);
    if (load.ended) return;
    load.requests++;
    for (const [{ acknowledged }, spanIds] of spans) for (const id of spanIds) acknowledged.add(id);
    await pause(fraction(random) * 15);
  }
}

function newTrace(load: Load, tenant: string): SentTrace {
  const trace = {
    tenant,
    traceId: bytesToHex(load.random.bytes(16)),
    sent: new Set<string>(),
    acknowledged: new Set<string>(),
  };
  load.traces.push(trace);
  return trace;
}

function newSpans({ sent }: SentTrace, count: number, random: Random): string[] {
  const ids = Array.from({ length: count }, () => bytesToHex(random.bytes(8)));
  for (const id of ids) sent.add(id);
  return ids;
}

/** While the log may still be replayed: a whole answer, or none that looks like one. */
async function checkSome(load: Load): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const trace = load.traces[load.random.u32() % load.traces.length] as SentTrace;
    const expected = [...trace.acknowledged];
    const found = await fetchSpanIds(load.server, trace.tenant, trace.traceId);
    if (found !== undefined) checkTrace(trace, expected, found);
  }
}

async function checkAll(server: TestServer, traces: readonly SentTrace[]): Promise<void> {
  const rest = traces.values();
  const checkRest = async () => {
    for (const trace of rest) {
      let found = await fetchSpanIds(server, trace.tenant, trace.traceId);
      for (let tries = 0; found === undefined && tries < 100; tries++) {
        await pause(50);
        found = await fetchSpanIds(server, trace.tenant, trace.traceId);
      }
      if (found === undefined) throw new Error(`trace ${trace.traceId} of ${trace.tenant} is not whole after 5 s`);
      checkTrace(trace, [...trace.acknowledged], found);
    }
  };
  await Promise.all(Array.from({ length: 8 }, checkRest));
}

function checkTrace({ tenant, traceId, sent }: SentTrace, expected: readonly string[], found: readonly string[]): void {
  const ids = new Set(found);
  const trace = `trace ${traceId} of ${tenant}`;
  const lost = expected.filter((id) => !ids.has(id));
  if (lost.length > 0)
    throw new Error(`${trace} lost ${lost.length} of ${expected.length} acknowledged spans: ${lost[0]}`);
  if (ids.size < found.length) throw new Error(`${trace} has spans twice: ${found.length} of ${ids.size}`);
  const foreign = found.find((id) => !sent.has(id));
  if (foreign !== undefined) throw new Error(`${trace} has a span that was not sent: ${foreign}`);
}

function countBlocks(dataDir: string): number {
  const names = readdirSync(path.join(dataDir, 'store'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /blocks.[0-9a-f]{2}.[^/\\]+$/.test(name)).length;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
