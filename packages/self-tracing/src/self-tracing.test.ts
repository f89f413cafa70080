import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { QueryEngine, SearchOptions, SearchPart } from '@vivace/api';
import { type Clock, seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import { decodeTraces } from '@vivace/otlp/testing';
import { createMetrics } from '@vivace/telemetry';
import { capturingLogger } from '@vivace/telemetry/testing';
import { expect, onTestFinished, test } from 'vitest';
import { areOwnSpans, encodeOwnSpans, type OwnSpan } from './own-spans.ts';
import { createPost, tracesUrl } from './post-spans.ts';
import { tracedEngine, tracedFinder, tracedSink } from './traced.ts';
import { Tracer, type TracerOptions } from './tracer.ts';

const SPAN: OwnSpan = {
  traceId: new Uint8Array(16).fill(1),
  spanId: new Uint8Array(8).fill(2),
  name: 'push',
  startUnixMicros: 1_795_278_314_574_000,
  endUnixMicros: 1_795_278_314_575_500,
  attributes: { 'vivace.tenant': 'shop', 'vivace.bytes': 5_000_000_000, 'vivace.complete': true, ratio: 0.5 },
  error: 'the store is away',
};

/** A clock that goes when it is told to. */
function handClock() {
  let now = 1_000_000;
  let due: { at: number; callback: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: async () => undefined,
    after: (ms, callback) => {
      const one = { at: now + ms, callback };
      due.push(one);
      return () => {
        due = due.filter((other) => other !== one);
      };
    },
  };
  const pass = async (ms: number) => {
    now += ms;
    const ready = due.filter(({ at }) => at <= now);
    due = due.filter(({ at }) => at > now);
    for (const { callback } of ready) callback();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return { clock, pass };
}

function rig(options: Partial<TracerOptions> = {}) {
  const { clock, pass } = handClock();
  const sent: Uint8Array[] = [];
  const { logger, lines } = capturingLogger();
  const metrics = createMetrics();
  const tracer = new Tracer({
    send: async (body) => {
      sent.push(body);
      return 200;
    },
    oneIn: 1,
    resource: { 'service.name': 'vivace' },
    clock,
    random: seededRandom(7),
    logger,
    metrics,
    ...options,
  });
  const counted = async (result: string) => {
    const { body } = await metrics.render();
    return Number(new RegExp(`vivace_own_spans_total\\{result="${result}"\\} (\\d+)`).exec(body)?.[1]);
  };
  return { tracer, pass, sent, lines, counted };
}

interface Decoded {
  resourceSpans: { scopeSpans: { spans: DecodedSpan[] }[] }[];
}
interface DecodedSpan {
  name: string;
  status?: { message?: string };
}

const spansIn = (sent: readonly Uint8Array[]) =>
  sent.flatMap((bytes) =>
    (decodeTraces(bytes) as unknown as Decoded).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans),
    ),
  );
const never = new AbortController().signal;
const sinkOf = (push: TraceSink['push']): TraceSink => ({ push });
const request = (bytes: Uint8Array) => {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { bytes: shared, release: () => undefined };
};

test('an own span is OTLP, to the nanosecond and with integers that are not rounded', () => {
  const [span] = spansIn([encodeOwnSpans([SPAN], { 'service.name': 'vivace' })]);
  expect(span).toMatchObject({
    name: 'push',
    kind: 2,
    startTimeUnixNano: '1795278314574000000',
    endTimeUnixNano: '1795278314575500000',
    status: { code: 2, message: 'the store is away' },
  });
  expect(JSON.stringify(span)).toContain('"5000000000"');
});

test('a request of own spans is known as one, and no other is', () => {
  expect(areOwnSpans(encodeOwnSpans([SPAN], {}))).toBe(true);
  const many = Array.from({ length: 500 }, () => SPAN);
  expect(areOwnSpans(encodeOwnSpans(many, { 'service.name': 'x'.repeat(1000) }))).toBe(true);
  expect(areOwnSpans(new Uint8Array())).toBe(false);
  expect(areOwnSpans(Buffer.concat([new Uint8Array(100), Buffer.from('vivace.self')]))).toBe(false);
});

test('pushes, lookups and queries are traced with what became of them', async () => {
  const { tracer, pass, sent, counted } = rig();
  await tracer.start();
  const good = tracedSink(
    sinkOf(async () => ({ acceptedSpans: 3, rejectedSpans: 1 })),
    tracer,
  );
  const bad = tracedSink(
    sinkOf(async () => {
      throw new VivaceError('unavailable', 'log-full', 'the log is full');
    }),
    tracer,
  );
  await good.push('shop', request(new Uint8Array(9)), never);
  await expect(bad.push('shop', request(new Uint8Array(9)), never)).rejects.toThrow('the log is full');
  const answer = { trace: new Uint8Array(5), complete: false, problems: ['p'], truncated: false, inspectedBytes: 77 };
  const finder = tracedFinder({ findTrace: async () => answer }, tracer);
  expect(await finder.findTrace('shop', new Uint8Array(16), { maxBytes: 1, signal: never })).toBe(answer);
  const part = { traces: [], cursor: undefined, problems: [], stats: { inspectedBytes: 5 } } as unknown as SearchPart;
  const engine = tracedEngine(
    {
      async *search() {
        yield part;
        yield part;
      },
    } as unknown as QueryEngine,
    tracer,
  );
  // A client that leaves after the first part.
  for await (const got of engine.search('shop', {} as SearchOptions)) {
    expect(got).toBe(part);
    break;
  }
  expect(sent).toEqual([]);
  await pass(5000);
  const spans = spansIn(sent);
  expect(spans.map(({ name }) => name)).toEqual(['push', 'push', 'find trace', 'search']);
  expect(spans.map(({ status }) => status?.message)).toEqual([undefined, 'the log is full', undefined, undefined]);
  expect(await counted('sent')).toBe(4);
});

test('a push of own spans is never traced, so that a process may trace into itself', async () => {
  const { tracer, pass, sent } = rig();
  await tracer.start();
  const into = tracedSink(
    sinkOf(async () => ({ acceptedSpans: 1, rejectedSpans: 0 })),
    tracer,
  );
  await into.push('shop', request(encodeOwnSpans([SPAN], {})), never);
  await pass(5000);
  expect(sent).toEqual([]);
});

test('one in so many is traced', () => {
  const { tracer } = rig({ oneIn: 100 });
  let traced = 0;
  for (let i = 0; i < 20_000; i++) if (tracer.begin('push', {}) !== undefined) traced++;
  expect(traced).toBeGreaterThan(120);
  expect(traced).toBeLessThan(280);
});

test('what cannot be sent is dropped and counted, said once, and holds nothing up', async () => {
  let status = 503;
  const { tracer, pass, lines, counted } = rig({ send: async () => status });
  await tracer.start();
  for (let round = 0; round < 3; round++) {
    tracer.begin('push', {})?.end({});
    await pass(5000);
  }
  expect(await counted('failed')).toBe(3);
  expect(lines).toHaveLength(1);
  status = 200;
  tracer.begin('push', {})?.end({});
  await pass(5000);
  expect(await counted('sent')).toBe(1);
});

test('spans that wait are bounded, and sent in batches', async () => {
  const { tracer, pass, sent, counted } = rig();
  await tracer.start();
  for (let i = 0; i < 3000; i++) tracer.begin('push', {})?.end({});
  expect(await counted('dropped')).toBe(3000 - 2048);
  await pass(5000);
  expect(sent.map((bytes) => spansIn([bytes]).length)).toEqual([512, 512, 512, 512]);
});

test('a stop sends what waits, and does not wait for an endpoint that hangs', async () => {
  const { tracer, sent } = rig();
  await tracer.start();
  tracer.begin('push', {})?.end({});
  await tracer.stop();
  expect(spansIn(sent)).toHaveLength(1);
  const hanging = rig({
    clock: { ...systemClock, after: (ms, callback) => systemClock.after(Math.min(ms, 20), callback) },
    send: (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  hanging.tracer.begin('push', {})?.end({});
  await hanging.tracer.stop();
  expect(await hanging.counted('failed')).toBe(1);
});

test('requests go to the path of OTLP, unless the endpoint names one', async () => {
  expect(tracesUrl('http://collector:4318')).toBe('http://collector:4318/v1/traces');
  expect(tracesUrl('https://otlp.example/tempo/v1/traces')).toBe('https://otlp.example/tempo/v1/traces');
  const got: [string | undefined, string | undefined, number][] = [];
  const server = createServer((incoming, response) => {
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    incoming.on('end', () => {
      got.push([incoming.url, incoming.headers['content-type'], length]);
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const body = encodeOwnSpans([SPAN], {});
  expect(await createPost(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)(body, never)).toBe(202);
  expect(got).toEqual([['/v1/traces', 'application/x-protobuf', body.length]]);
});
