import {
  type Attributes,
  createTraceState,
  type HrTime,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { encodeTracesData } from '@vivace/api/testing';
import { decodeTraces, encodeTraces, type PlainTraces, spanTexts } from '@vivace/otlp/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchTraceAsGrafana } from './clients/grafana-trace.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, readEveryForm, sendBytes } from './harness/traces-client.ts';

// What applications and Collectors really send: OpenTelemetry's own exporters over each of its protocols.

const data = temporaryDirectory();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path });
});
afterAll(async () => {
  await server.stop();
  data.remove();
});

/** Records a trace with everything that the SDK can say, exports it and gives the spans that it made. */
async function record(exporter: SpanExporter): Promise<ReadableSpan[]> {
  const memory = new InMemorySpanExporter();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'checkout', 'process.pid': 7, 'host.tags': ['a', 'b'] }),
    spanLimits: { attributeCountLimit: 12, eventCountLimit: 3, linkCountLimit: 2 },
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory }), new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('shop', '1.2.3', { schemaUrl: 'https://opentelemetry.io/schemas/1.30.0' });

  const root = tracer.startSpan('POST /checkout', {
    kind: SpanKind.SERVER,
    attributes: {
      text: 'Grüße \u{1f6d2}',
      whole: 42,
      large: 9_007_199_254_740_991,
      negative: -7,
      part: 0.1,
      yes: true,
      texts: ['x', '', 'y'],
      numbers: [1, 2.5],
      flags: [true, false],
      empty: '',
    },
  });
  const inRoot = trace.setSpan(ROOT_CONTEXT, root);
  const failed = tracer.startSpan('charge', { kind: SpanKind.CLIENT }, inRoot);
  failed.recordException(new TypeError('the card was declined'));
  failed.addEvent('retry', { attempt: 2, delays: [0.5, 1] });
  failed.setStatus({ code: SpanStatusCode.ERROR, message: 'declined' });
  failed.end();
  const remote: SpanContext = {
    traceId: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    spanId: 'bbbbbbbbbbbbbbbb',
    traceFlags: 1,
    isRemote: true,
    traceState: createTraceState('vendor=here'),
  };
  const queued = tracer.startSpan(
    'enqueue',
    {
      kind: SpanKind.PRODUCER,
      links: [{ context: remote, attributes: { why: 'batch' } }, { context: root.spanContext() }],
    },
    inRoot,
  );
  for (let i = 0; i < 5; i++) queued.addLink({ context: remote });
  for (let i = 0; i < 5; i++) queued.addEvent(`event ${i}`);
  for (let i = 0; i < 20; i++) queued.setAttribute(`attribute ${i}`, i);
  queued.setStatus({ code: SpanStatusCode.OK });
  queued.end();
  tracer.startSpan('ends before it starts', { startTime: [2_000_000_000, 5] }, inRoot).end([1_999_999_999, 7]);
  provider.getTracer('another library').startSpan('consume', { kind: SpanKind.CONSUMER }, inRoot).end();
  root.end();

  await provider.forceFlush();
  const spans = memory.getFinishedSpans();
  await provider.shutdown();
  return spans;
}

/** What OTLP says of the spans, made apart from the exporters' own encoders. */
function expected(spans: readonly ReadableSpan[]): PlainTraces {
  return {
    resourceSpans: spans.map((span) => ({
      resource: { attributes: attributesOf(span.resource.attributes) },
      scopeSpans: [
        {
          scope: { name: span.instrumentationScope.name, version: span.instrumentationScope.version ?? '' },
          schemaUrl: span.instrumentationScope.schemaUrl ?? '',
          spans: [
            {
              ...idsOf(span.spanContext()),
              parentSpanId: Buffer.from(span.parentSpanContext?.spanId ?? '', 'hex'),
              name: span.name,
              kind: span.kind + 1,
              startTimeUnixNano: nanoseconds(span.startTime),
              endTimeUnixNano: nanoseconds(span.endTime),
              attributes: attributesOf(span.attributes),
              droppedAttributesCount: span.droppedAttributesCount,
              events: span.events.map((event) => ({
                name: event.name,
                timeUnixNano: nanoseconds(event.time),
                attributes: attributesOf(event.attributes ?? {}),
                droppedAttributesCount: event.droppedAttributesCount ?? 0,
              })),
              droppedEventsCount: span.droppedEventsCount,
              links: span.links.map(linkOf),
              droppedLinksCount: span.droppedLinksCount,
              status: span.status,
              flags: flagsOf(span.spanContext(), span.parentSpanContext),
            },
          ],
        },
      ],
    })),
  };
}

function linkOf({ context, attributes, droppedAttributesCount }: Link): object {
  return {
    ...idsOf(context),
    attributes: attributesOf(attributes ?? {}),
    droppedAttributesCount: droppedAttributesCount ?? 0,
    flags: flagsOf(context, context),
  };
}

function idsOf(context: SpanContext): object {
  return {
    traceId: Buffer.from(context.traceId, 'hex'),
    spanId: Buffer.from(context.spanId, 'hex'),
    traceState: context.traceState?.serialize() ?? '',
  };
}

/** W3C flags, and that it is known whether `origin` is of another process. */
function flagsOf({ traceFlags }: SpanContext, origin: SpanContext | undefined): number {
  return traceFlags | 0x100 | (origin?.isRemote === true ? 0x200 : 0);
}

function nanoseconds([seconds, rest]: HrTime): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(rest));
}

function attributesOf(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: unknown): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
  return {};
}

async function expectStored(spans: readonly ReadableSpan[]): Promise<void> {
  const id = spans[0]?.spanContext().traceId as string;
  const sent = spanTexts(decodeTraces(encodeTraces(expected(spans))));
  expect(sent).toHaveLength(5);
  const { protobuf, json } = await readEveryForm(server, id);
  const grafana = await fetchTraceAsGrafana(server.http, id);
  expect(grafana.partialMessage).toBeUndefined();
  expect(spanTexts(decodeTraces(encodeTracesData({ resourceSpans: grafana.resourceSpans })))).toEqual(sent);
  for (const bytes of Object.values(protobuf)) expect(spanTexts(decodeTraces(bytes))).toEqual(sent);
  for (const traces of Object.values(json)) expect(spanTexts(traces)).toEqual(sent);
}

const EXPORTERS: Record<string, () => SpanExporter> = {
  'OTLP/HTTP in protobuf': () => new ProtoExporter({ url: `${server.otlpHttp}/v1/traces` }),
  'OTLP/HTTP in JSON': () => new JsonExporter({ url: `${server.otlpHttp}/v1/traces` }),
  'OTLP/gRPC': () => new GrpcExporter({ url: `http://${server.otlpGrpc}` }),
};

test.each(
  Object.keys(EXPORTERS).flatMap((protocol) => [
    [protocol, 'none'],
    [protocol, 'gzip'],
  ]),
)(
  'OpenTelemetry JS over %s, compression %s: every span comes back equal, also from a block',
  async (protocol, compression) => {
    process.env.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION = compression;
    const spans = await record((EXPORTERS[protocol as string] as () => SpanExporter)());
    delete process.env.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION;
    await expectStored(spans);
    await flush(server);
    await expectStored(spans);
  },
);

test('the same in zstd, as the Collector sends it', async () => {
  const spans = await record(new InMemorySpanExporter());
  await sendBytes(server, encodeTraces(expected(spans)), { encoding: 'zstd' });
  await expectStored(spans);
});
