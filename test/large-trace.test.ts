import { decodeTracesData } from '@vivace/api/testing';
import { encodeTraces } from '@vivace/otlp/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchTraceAsGrafana } from './clients/grafana-trace.ts';
import { idOf, spanId } from './fixtures/fidelity-cases.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { fetchTrace, flush, sendBytes } from './harness/traces-client.ts';

const SPANS = 100_000;
const REQUESTS = 8;

const id = idOf('one trace of 100,000 spans');
const start = BigInt(Date.now()) * 1_000_000n;
const data = temporaryDirectory();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path });
});
afterAll(async () => {
  await server.stop();
  data.remove();
});

/** The spans `first`, `first + REQUESTS` …: every request has some of every part of the trace. */
function request(first: number): Uint8Array {
  const spans = [];
  for (let number = first; number < SPANS; number += REQUESTS) {
    spans.push({
      traceId: id,
      spanId: spanId(number),
      ...(number > 0 && { parentSpanId: spanId(number >> 3) }),
      name: `step ${number % 50}`,
      kind: (number % 5) + 1,
      startTimeUnixNano: String(start + BigInt(number) * 1000n),
      endTimeUnixNano: String(start + BigInt(number) * 1000n + 900n),
      attributes: [{ key: 'number', value: { intValue: String(number) } }],
    });
  }
  return encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
}

async function send(requests: readonly number[]): Promise<void> {
  for (const first of requests) await sendBytes(server, request(first), { encoding: 'zstd' });
}

/** Every id is there once, each span with its own attribute and parent. */
function expectWhole(spans: { spanId: Uint8Array; parentSpanId?: Uint8Array; attributes: object[] }[]): void {
  expect(spans).toHaveLength(SPANS);
  const seen = new Uint8Array(SPANS);
  let wrong = 0;
  for (const { spanId: bytes, parentSpanId, attributes } of spans) {
    const number = numberOf(bytes);
    seen[number] = 1;
    const parent = parentSpanId === undefined || parentSpanId.length === 0 ? -1 : numberOf(parentSpanId);
    if (parent !== (number === 0 ? -1 : number >> 3)) wrong++;
    const [{ value }] = attributes as [{ value: { intValue: unknown } }];
    if (Number(value.intValue) !== number) wrong++;
  }
  expect(wrong).toBe(0);
  expect(seen.every((count) => count === 1)).toBe(true);
}

interface Plain {
  scopeSpans: { spans: { spanId: string }[] }[];
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
}

async function expectWholeTwice(): Promise<void> {
  const hex = Buffer.from(id).toString('hex');
  const { spans, partialMessage } = await fetchTraceAsGrafana(server.http, hex);
  expect(partialMessage).toBeUndefined();
  expectWhole(spans);
  const { status, body } = await fetchTrace(server, hex, 'v1', 'application/protobuf');
  expect(status).toBe(200);
  const { resourceSpans } = decodeTracesData(body);
  expectWhole(resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
}

test('a trace of 100,000 spans, half in a block and half in the head, comes back whole by both versions', async () => {
  await send([0, 1, 2, 3]);
  await flush(server);
  await send([4, 5, 6, 7]);
  await expectWholeTwice();
});

test('and from two blocks, where some of it was sent again', async () => {
  await send([3, 4]);
  await flush(server);
  await expectWholeTwice();
});

test('and in JSON', async () => {
  const hex = Buffer.from(id).toString('hex');
  const { status, body } = await fetchTrace(server, hex, 'v2', 'application/json');
  expect(status).toBe(200);
  const { trace } = JSON.parse(body.toString()) as { trace: { resourceSpans: Plain[] } };
  const ids = trace.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  expect(new Set(ids.map((span) => span.spanId)).size).toBe(SPANS);
  expect(ids).toHaveLength(SPANS);
});
