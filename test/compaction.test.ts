import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodePlainSpans, type PlainSpan } from './harness/plain-spans.ts';
import { ask, metricOf, search } from './harness/query-client.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { storedBlocks } from './harness/stored-blocks.ts';
import { fetchTrace, flush, readTrace, replayed, sendBytes } from './harness/traces-client.ts';

// The whole program: many small blocks are merged, answer as before while that happens and after it, and expire.

const HOUR_MS = 3_600_000;
const BLOCKS = 14;
const TRACES = 60;
/** An hour that is over, so that its blocks are merged as soon as there are some. */
const BASE_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 4 * HOUR_MS;
const RANGE = { start: BASE_MS / 1000 - 60, end: BASE_MS / 1000 + 3600, limit: 1000 };
const AT_ONCE = {
  VIVACE_COMPACTOR_COMPACTION_COMPACTION_CYCLE: '200ms',
  VIVACE_COMPACTOR_SWEEP_INTERVAL: '1s',
  VIVACE_COMPACTOR_COMPACTION_COMPACTED_BLOCK_RETENTION: '1s',
  VIVACE_QUERY_FRONTEND_API_TIMEOUT: '2s',
};
const NEVER = { VIVACE_COMPACTOR_DISABLED: 'true' };

const idOf = (trace: number) => (0xabc000 + trace).toString(16);
/** Spans of a block: two thirds of all traces go on in it, every seventh trace fails in the fifth. */
const spansOf = (block: number): PlainSpan[] =>
  Array.from({ length: TRACES }, (_, trace) => trace)
    .filter((trace) => (trace + block) % 3 !== 0)
    .map((trace) => ({
      trace: idOf(trace),
      span: (16 * block + 1).toString(16),
      ...(block > 0 && { parent: (16 * (block - 1) + 1).toString(16) }),
      service: trace % 2 === 0 ? 'shop' : 'stock',
      name: `step ${block}`,
      failed: trace % 7 === 0 && block === 5,
      startMs: BASE_MS + block * 60_000 + trace * 100,
      durationMs: 20 + trace,
      attributes: { number: trace, order: `order ${trace} ${block}` },
    }));

/** Sends the spans as blocks of their own, each with some of the one before once more, as clients do after a lost answer. */
async function fill(server: TestServer, blocks = BLOCKS): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    const again = block === 0 ? [] : spansOf(block - 1).slice(0, 9);
    await sendBytes(server, encodePlainSpans([...again, ...spansOf(block)]));
    await flush(server);
  }
}

const QUESTIONS = [
  '{}',
  '{ status = error }',
  '{ span.order = "order 12 4" }',
  '{ resource.service.name = "stock" } | count() > 3',
  '{ name = "step 3" } >> { name = "step 4" }',
  '{ span.number < 9 } | avg(duration) > 20ms',
];

interface Truth {
  traces: Map<string, Buffer>;
  answers: string[];
}

async function readAll(server: TestServer): Promise<Truth> {
  const traces = new Map<string, Buffer>();
  for (let trace = 0; trace < TRACES; trace++) {
    const { bytes, partial } = await readTrace(server, idOf(trace));
    expect(partial, idOf(trace)).toBeUndefined();
    traces.set(idOf(trace), Buffer.from(bytes));
  }
  return { traces, answers: await answersOf(server) };
}

async function answersOf(server: TestServer): Promise<string[]> {
  const answers: string[] = [];
  for (const q of QUESTIONS) {
    const { traces, partial } = await search(server, q, { ...RANGE, spss: 20 });
    expect(partial, q).toBeUndefined();
    answers.push(JSON.stringify(traces));
  }
  const range = { q: '{} | rate() by (resource.service.name)', start: RANGE.start, end: RANGE.end, step: '60s' };
  const metrics = await ask(server, '/api/metrics/query_range', range);
  answers.push(JSON.stringify((JSON.parse(metrics.text) as { series: unknown }).series));
  return answers;
}

function expectSame(found: Truth, truth: Truth): void {
  for (const [id, bytes] of truth.traces) expect(found.traces.get(id)?.equals(bytes), id).toBe(true);
  expect(found.answers).toEqual(truth.answers);
}

async function until(what: string, holds: () => boolean | Promise<boolean>, server: TestServer): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within 30 s: ${what}\n${server.output()}`);
}

const merged = (server: TestServer) => metricOf(server, 'vivace_compactor_jobs_total{outcome="done"}');

let data: ReturnType<typeof temporaryDirectory>;
const running: TestServer[] = [];
const start = async (env: Record<string, string>, dataDir = data.path): Promise<TestServer> => {
  const server = await startServer({ dataDir, env });
  running.push(server);
  return server;
};

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  data?.remove();
});

describe('many small blocks', () => {
  test('become one that answers the same, while queries go on, and their objects go', {
    timeout: 120_000,
  }, async () => {
    data = temporaryDirectory();
    const before = await start(NEVER);
    await fill(before);
    const truth = await readAll(before);
    expect(truth.traces.get(idOf(1))?.length).toBeGreaterThan(500);
    expect(storedBlocks(data.path).length).toBe(BLOCKS);
    await before.stop();

    const server = await start(AT_ONCE);
    await replayed(server);
    // Asked all the time, over the swap as well.
    let asked = 0;
    do {
      expect(await answersOf(server)).toEqual(truth.answers);
      asked++;
    } while ((await merged(server)) === 0 && asked < 200);
    expectSame(await readAll(server), truth);
    await until('the objects of merged blocks are gone', () => storedBlocks(data.path).length === 1, server);
    expectSame(await readAll(server), truth);
    expect(await metricOf(server, 'vivace_compactor_blocks_total{change="merged"}')).toBe(BLOCKS);
    expect(await metricOf(server, 'vivace_compactor_blocks_total{change="written"}')).toBe(1);
    expect(await metricOf(server, 'vivace_compactor_spans_total{what="resent"}')).toBe(9 * (BLOCKS - 1));
    expect(await metricOf(server, 'vivace_compactor_errors_total{task="merge"}')).toBe(0);
    expect(server.output()).not.toContain('cannot be read');
  });

  test('that come while others are merged are merged in their turn', { timeout: 120_000 }, async () => {
    data = temporaryDirectory();
    const server = await start(AT_ONCE);
    await fill(server);
    await until('few blocks are left', () => storedBlocks(data.path).length <= 5, server);
    for (const [trace, bytes] of (await readAll(server)).traces) expect(bytes.length, trace).toBeGreaterThan(100);
    const { traces } = await search(server, '{}', RANGE);
    expect(traces.length).toBe(TRACES);
    await server.kill();
    // What a kill in the midst leaves is no harm.
    const next = await start(AT_ONCE);
    await replayed(next);
    expect((await search(next, '{}', RANGE)).traces).toEqual(traces);
  });
});

describe('retention', () => {
  test('keeps what a rule matches and lets the rest go; a file that is wrong changes nothing', {
    timeout: 120_000,
  }, async () => {
    data = temporaryDirectory();
    const overrides = path.join(data.path, 'overrides.yaml');
    const rules = (retention: string) =>
      `overrides:\n  single-tenant:\n    retention: ${retention}\n    retention_rules:\n      - filter: '{ status = error }'\n        keep: 30d\n`;
    writeFileSync(overrides, rules('2d'));
    const env = {
      ...AT_ONCE,
      VIVACE_OVERRIDES_PER_TENANT_OVERRIDE_CONFIG: overrides,
      VIVACE_OVERRIDES_PER_TENANT_OVERRIDE_PERIOD: '100ms',
    };
    const before = await start({ ...env, ...NEVER });
    await fill(before, 10);
    const truth = await readAll(before);
    await before.stop();
    const server = await start(env);
    await replayed(server);
    await until('a block of each class', () => storedBlocks(data.path).length === 2, server);
    expectSame(await readAll(server), truth);

    writeFileSync(overrides, rules('soon'));
    await until('the wrong file is told of', () => server.output().includes('the overrides stay as they were'), server);
    expect(server.output()).toContain('overrides.yaml:3: retention must be a duration');
    expect(await metricOf(server, 'vivace_overrides_bad')).toBe(1);
    expect(storedBlocks(data.path).length).toBe(2);

    writeFileSync(overrides, rules('1h'));
    await until('what no rule keeps has expired', () => storedBlocks(data.path).length === 1, server);
    for (const [id, bytes] of truth.traces) {
      const trace = Number.parseInt(id, 16) - 0xabc000;
      const kept = trace % 7 === 0 && (trace + 5) % 3 !== 0;
      const { status, body } = await fetchTrace(server, id, 'v1', 'application/protobuf');
      expect(status, id).toBe(kept ? 200 : 404);
      if (kept) expect(body.equals(bytes), id).toBe(true);
    }
    expect(await metricOf(server, 'vivace_overrides_bad')).toBe(0);
    expect(await metricOf(server, 'vivace_compactor_blocks_total{change="expired"}')).toBe(1);
  });

  test('a program does not start with overrides that are wrong', async () => {
    data = temporaryDirectory();
    const overrides = path.join(data.path, 'overrides.yaml');
    writeFileSync(overrides, "overrides:\n  a:\n    retention_rules: [{ filter: '{ status = }', keep: 7d }]\n");
    const env = { VIVACE_OVERRIDES_PER_TENANT_OVERRIDE_CONFIG: overrides };
    await expect(start(env)).rejects.toThrow(/overrides\.yaml:3: /);
  });
});

describe('two processes on one bucket', () => {
  let target: S3Target;
  beforeAll(async () => {
    target = await startS3Target();
  });
  afterAll(async () => {
    await target.close();
  });

  test('merge at the same time, and lose and double nothing', { timeout: 180_000 }, async () => {
    data = temporaryDirectory();
    const other = temporaryDirectory();
    const env = (name: string) => ({
      ...AT_ONCE,
      VIVACE_INGESTER_INSTANCE_NAME: name,
      VIVACE_STORAGE_TRACE_BACKEND: 's3',
      VIVACE_STORAGE_TRACE_S3_BUCKET: target.bucket,
      VIVACE_STORAGE_TRACE_S3_ENDPOINT: target.endpoint,
      VIVACE_STORAGE_TRACE_S3_REGION: target.region,
      VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
      VIVACE_STORAGE_TRACE_BLOCK_SINGLE_OBJECT_MAX_BYTES: '0',
      AWS_ACCESS_KEY_ID: target.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: target.credentials.secretAccessKey,
    });
    try {
      const filler = await start({ ...env('filler'), ...NEVER });
      await fill(filler);
      const truth = await readAll(filler);
      await filler.stop();
      const both = [await start(env('one')), await start(env('two'), other.path)];
      const done = async () => (await Promise.all(both.map(merged))).reduce((sum, count) => sum + count, 0);
      await until('something is merged', async () => (await done()) > 0, both[0] as TestServer);
      // New blocks at both, while both merge.
      for (const [i, server] of both.entries()) {
        for (let block = 0; block < 6; block++) {
          await sendBytes(server, encodePlainSpans(spansOf(block).filter((_, place) => place % 2 === i)));
          await flush(server);
        }
      }
      await until('the resent spans are merged', async () => (await done()) > 1, both[0] as TestServer);
      await new Promise((resolve) => setTimeout(resolve, 6000));
      for (const server of both) {
        expect(await metricOf(server, 'vivace_compactor_errors_total{task="merge"}')).toBe(0);
        expect(server.output()).not.toContain('is gone from the store');
      }
      // One that lives beside another says that it does not know what that has in its log.
      for (const server of running.splice(0)) await server.stop();
      const reader = await start({ ...env('filler'), ...NEVER });
      await replayed(reader);
      expectSame(await readAll(reader), truth);
    } finally {
      other.remove();
    }
  });
});
