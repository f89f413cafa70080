import { Health, type Member } from '@vivace/cluster';
import { createGrpcChannel } from '@vivace/http';
import { type Clock, seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import type { PushResult, TraceSink } from '@vivace/otlp';
import { decodeTraces, encodeTraces } from '@vivace/otlp/testing';
import { ChannelPool, createPushClient } from '@vivace/rpc';
import { describeTraceSink, startPushServer, type TestRpcServer } from '@vivace/rpc/testing';
import { createMetrics } from '@vivace/telemetry';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createSpreadMetrics, createSpreadSink } from './index.ts';

/** An ingester that remembers the traces it has acknowledged. */
interface TestIngester extends TestRpcServer {
  traces: Set<string>;
  spans: number;
  pushes: number;
  refuse: VivaceError | undefined;
}

async function startIngester(): Promise<TestIngester> {
  const state = { traces: new Set<string>(), spans: 0, pushes: 0, refuse: undefined as VivaceError | undefined };
  const sink: TraceSink = {
    push: async (_tenant, { bytes }) => {
      state.pushes++;
      if (state.refuse !== undefined) throw state.refuse;
      const ids = idsOf(bytes);
      for (const id of ids) state.traces.add(id);
      state.spans += ids.length;
      return { acceptedSpans: ids.length, rejectedSpans: 0 };
    },
  };
  return Object.assign(state, await startPushServer(sink));
}

function idsOf(bytes: Uint8Array): string[] {
  const { resourceSpans } = decodeTraces(bytes) as {
    resourceSpans: { scopeSpans: { spans: { traceId: Uint8Array }[] }[] }[];
  };
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map(({ traceId }) => Buffer.from(traceId).toString('hex'))),
  );
}

function spreadOver(
  members: readonly Member[] | (() => readonly Member[]),
  timeoutMs = 2000,
  clock: Clock = systemClock,
) {
  const channels = new ChannelPool({ open: createGrpcChannel, clock: systemClock });
  onTestFinished(() => channels.close());
  const metrics = createMetrics();
  const sink = createSpreadSink({
    members: typeof members === 'function' ? members : () => members,
    health: new Health({ clock: systemClock, random: seededRandom(1), firstBackOffMs: 5000 }),
    channels,
    client: createPushClient,
    clock,
    metrics: createSpreadMetrics(metrics),
    timeoutMs,
  });
  return { sink, metrics };
}

/** `first` … `first + count - 1` are the traces, of two spans each. */
function push(sink: TraceSink, first: number, count: number): Promise<PushResult> {
  const span = (i: number, n: number) => ({
    traceId: Buffer.from(`7${(first + i).toString(16).padStart(31, '0')}`, 'hex'),
    spanId: Buffer.from(`5${(2 * i + n).toString(16).padStart(15, '0')}`, 'hex'),
  });
  const spans = [0, 1].flatMap((n) => Array.from({ length: count }, (_, i) => span(i, n)));
  const encoded = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  const bytes = new Uint8Array(new SharedArrayBuffer(encoded.length));
  bytes.set(encoded);
  // The receiver uses the memory again as soon as it has its answer.
  return sink
    .push('shop', { bytes, release: () => undefined }, AbortSignal.timeout(20_000))
    .finally(() => bytes.fill(0xff));
}

const allOf = (ingesters: readonly TestIngester[]) => new Set(ingesters.flatMap(({ traces }) => [...traces]));

describeTraceSink('spread over one ingester', async (inner) => spreadOver([await startPushServer(inner)]).sink);

describe('spreading requests over ingesters', () => {
  test('each trace is at one of them with all of its spans, and the answer is of all', async () => {
    const ingesters = await Promise.all([startIngester(), startIngester(), startIngester()]);
    const { sink } = spreadOver(ingesters);
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => push(sink, 1000 * i, 100)));
    expect(new Set(results.map(({ acceptedSpans }) => acceptedSpans))).toEqual(new Set([200]));
    expect(ingesters.reduce((sum, { traces }) => sum + traces.size, 0)).toBe(2000);
    expect(ingesters.reduce((sum, { spans }) => sum + spans, 0)).toBe(4000);
    for (const { traces } of ingesters) expect(traces.size).toBeGreaterThan(500);
  });

  test('while one is gone its traces are spread over the others, and after the first failure nobody asks it', async () => {
    const ingesters = await Promise.all([startIngester(), startIngester(), startIngester()]);
    const [gone, ...rest] = ingesters as [TestIngester, TestIngester, TestIngester];
    const { sink, metrics } = spreadOver(ingesters);
    await push(sink, 0, 50);
    await gone.server.stop();
    await push(sink, 1000, 300);
    expect(allOf(rest).size).toBeGreaterThanOrEqual(300);
    for (const { traces } of rest) expect(traces.size).toBeGreaterThan(100);
    const { body } = await metrics.render();
    expect(body).toContain('vivace_distributor_moved_slices_total 1\n');
    await push(sink, 2000, 300);
    expect((await metrics.render()).body).toContain('vivace_distributor_moved_slices_total 1\n');
  });

  test('one that is full is asked no more for as long as it says, and a request fails only when nobody takes it', async () => {
    const ingesters = await Promise.all([startIngester(), startIngester()]);
    const [full, other] = ingesters as [TestIngester, TestIngester];
    const { sink } = spreadOver(ingesters);
    full.refuse = new VivaceError('unavailable', 'heads-full', 'the heads are full', { retryAfterMs: 2000 });
    expect((await push(sink, 0, 100)).acceptedSpans).toBe(200);
    expect(other.traces.size).toBe(100);
    const { pushes } = full;
    await push(sink, 1000, 100);
    expect(full.pushes).toBe(pushes);
    other.refuse = full.refuse;
    await expect(push(sink, 2000, 100)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'heads-full',
      retryAfterMs: 2000,
    });
    other.refuse = undefined;
    await push(sink, 3000, 100);
  });

  test('one that does not answer in time is passed by', async () => {
    const hanging = await startPushServer({ push: () => new Promise(() => undefined) });
    const other = await startIngester();
    const { sink } = spreadOver([hanging, other], 200);
    expect((await push(sink, 0, 100)).acceptedSpans).toBe(200);
    expect(other.traces.size).toBe(100);
  });

  test('what an ingester says is too slow after eight seconds is not sent to another, which would store it again', async () => {
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const slow = await startPushServer({
      push: async () => {
        nowMs += 8000;
        throw new VivaceError('unavailable', 'log-failed', 'the bucket of the log does not take records in time');
      },
    });
    const other = await startIngester();
    const { sink } = spreadOver([slow, other], 9000, clock);
    await expect(push(sink, 0, 100)).rejects.toMatchObject({ kind: 'unavailable', code: 'log-failed' });
    // Its own traces only.
    expect(other.traces.size).toBeGreaterThan(0);
    expect(other.traces.size).toBeLessThan(100);
  });

  test('a slice that can never be taken is rejected spans, of which the others know nothing', async () => {
    const ingesters = await Promise.all([startIngester(), startIngester()]);
    const [strict, other] = ingesters as [TestIngester, TestIngester];
    const { sink } = spreadOver(ingesters);
    strict.refuse = new VivaceError('invalid', 'otlp-malformed', 'an attribute is malformed');
    const result = await push(sink, 0, 100);
    expect(result.acceptedSpans).toBe(2 * other.traces.size);
    expect(result).toMatchObject({
      rejectedSpans: 200 - 2 * other.traces.size,
      firstReason: 'an attribute is malformed',
    });
    other.refuse = strict.refuse;
    await expect(push(sink, 0, 100)).rejects.toMatchObject({ kind: 'invalid', code: 'otlp-malformed' });
    other.refuse = new VivaceError('limited', 'too-long', 'never fits');
    await expect(push(sink, 0, 100)).rejects.toMatchObject({ kind: 'limited', code: 'too-long' });
  });

  test('a slice larger than an ingester takes is refused for good, not sent again and again', async () => {
    const small = await startPushServer({ push: async () => ({ acceptedSpans: 0, rejectedSpans: 0 }) }, 1000);
    const { sink } = spreadOver([small]);
    await expect(push(sink, 0, 100)).rejects.toMatchObject({ kind: 'limited', code: 'grpc-message-size' });
  });

  test('without ingesters a request is told to come again, and is taken when there is one', async () => {
    let members: readonly Member[] = [];
    const { sink } = spreadOver(() => members);
    await expect(push(sink, 0, 1)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'no-ingester',
      retryAfterMs: 1000,
    });
    const ingester = await startIngester();
    members = [ingester];
    await push(sink, 0, 1);
    expect(ingester.traces.size).toBe(1);
    members = [];
    await expect(push(sink, 0, 1)).rejects.toMatchObject({ code: 'no-ingester' });
  });

  test('requests that come while a call is under way go together', async () => {
    const held: (() => void)[] = [];
    const slow = await startPushServer({
      push: () => new Promise((resolve) => held.push(() => resolve({ acceptedSpans: 1, rejectedSpans: 0 }))),
    });
    const { sink, metrics } = spreadOver([slow]);
    const pushes = Array.from({ length: 50 }, (_, i) => push(sink, i, 1));
    await vi.waitUntil(() => held.length === 50);
    for (const answer of held) answer();
    await Promise.all(pushes);
    expect((await metrics.render()).body).toContain('vivace_distributor_ingester_calls_total{result="ok"} 2\n');
  });
});
