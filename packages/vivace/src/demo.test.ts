import { createServer } from 'node:http';
import { seededRandom, systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { runDemo } from './demo-cli.ts';
import { demoTraces } from './demo-traces.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number };
  events: { name: string }[];
  links: { traceId: string; spanId: string }[];
}

const spansOf = (trace: { body: { resourceSpans: { scopeSpans: { spans: object[] }[] }[] } }) =>
  trace.body.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans)) as Span[];

async function demo(argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const out = { stdout: '', stderr: '' };
  const code = await runDemo({
    argv,
    env: {},
    stdout: { write: (text) => void (out.stdout += text) },
    stderr: { write: (text) => void (out.stderr += text) },
    clock: systemClock,
    random: seededRandom(1),
  });
  return { code, ...out };
}

async function answering(status: number, body: string): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, close: () => void server.close() };
}

test('the demo traces are whole: one root, parents present, children inside the time of a trace, several services', () => {
  for (const trace of demoTraces(1_800_000_000_000, seededRandom(3))) {
    const spans = spansOf(trace);
    const ids = new Set(spans.map((span) => span.spanId));
    expect(ids.size).toBe(trace.spans);
    expect(spans.filter((span) => span.parentSpanId === '')).toHaveLength(1);
    const [root] = spans;
    for (const span of spans) {
      expect(span.traceId).toBe(trace.traceId);
      expect(span.parentSpanId === '' || ids.has(span.parentSpanId)).toBe(true);
      expect(BigInt(span.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root?.endTimeUnixNano ?? 0));
      expect(BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root?.startTimeUnixNano ?? 0));
    }
  }
});

test('the demo shows errors with exceptions, links to the other traces and several services', () => {
  const traces = demoTraces(1_800_000_000_000, seededRandom(3));
  const spans = traces.flatMap(spansOf);
  expect(spans.filter((span) => span.status.code === 2).length).toBeGreaterThanOrEqual(4);
  expect(spans.flatMap((span) => span.events.map((event) => event.name))).toContain('exception');
  const linked = spans.flatMap((span) => span.links);
  expect(new Set(linked.map((link) => link.traceId))).toEqual(new Set([traces[0]?.traceId, traces[1]?.traceId]));
  for (const link of linked)
    expect(spans.some((span) => span.spanId === link.spanId && span.traceId === link.traceId)).toBe(true);
  expect(traces[0]?.body.resourceSpans.length).toBeGreaterThanOrEqual(4);
});

test('without a server the demo says how to start one', async () => {
  const { url, close } = await answering(200, '');
  close();
  const { code, stderr } = await demo(['--otlp-http-url', url]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^vivace: no server answers at .*\/v1\/traces \(ECONNREFUSED\): start one with npm start, or say where it is with --otlp-http-url\n$/,
  );
});

test('a server that refuses, all or in part, is quoted', async () => {
  const refusing = await answering(429, 'too much');
  expect((await demo(['--otlp-http-url', refusing.url])).stderr).toContain('refused a trace with 429: too much');
  refusing.close();
  const partial = await answering(200, '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"a span id of zeros"}}');
  expect((await demo(['--otlp-http-url', partial.url])).stderr).toContain('refused 2 spans: a span id of zeros');
  partial.close();
});

test('wrong flags are a usage error', async () => {
  expect(await demo(['--http-url', 'localhost:3200'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--http-url must be a URL') as string,
  });
  expect(await demo(['--http-ulr', 'x'])).toMatchObject({
    code: 2,
    stderr: 'vivace: unknown flag --http-ulr: did you mean --http-url?\n',
  });
  expect((await demo(['--help'])).stdout).toContain('--otlp-http-url URL');
});
