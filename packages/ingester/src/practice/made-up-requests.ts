import { fraction, type Random } from '@vivace/kernel';
import {
  ANY_VALUE,
  EVENT,
  KEY_VALUE,
  LINK,
  ProtoWriter,
  RESOURCE,
  RESOURCE_SPANS,
  SCOPE,
  SCOPE_SPANS,
  SPAN,
  STATUS,
  TRACES_DATA,
  VALUES,
  WIRE_FIXED64,
  WIRE_VARINT,
} from '@vivace/otlp';

type Value = string | number | boolean | { double: number } | readonly string[];
type Attributes = readonly (readonly [key: string, value: Value])[];

interface Operation {
  kind: 'server' | 'client';
  name: string;
  attributes: (random: Random) => Attributes;
}

interface Span {
  operation: Operation;
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentId: Uint8Array | undefined;
  startNanos: bigint;
  takesNanos: number;
}

const KINDS = { server: 2, client: 3 } as const;
const ERROR = 2;
const SERVICES = 16;
const PODS = 3;
const TRACES = 50;
const MAX_SPANS_A_TRACE = 40;
const ROUTES = ['list', '{id}', 'create', 'update', 'status'];
const STACK = Array.from({ length: 8 }, (_, i) => `\tat shop.Handler${i}.invoke(Handler${i}.java:${40 + i})`).join(
  '\n',
);

const OPERATIONS: readonly Operation[] = Array.from({ length: SERVICES }, (_, service) => service).flatMap(
  (service) => [
    ...ROUTES.map(
      (route): Operation => ({
        kind: 'server',
        name: `GET /api/s${service}/${route}`,
        attributes: (random) => [
          ['http.request.method', 'GET'],
          ['http.route', `/api/s${service}/${route}`],
          ['url.path', `/api/s${service}/${below(random, 1_000_000)}`],
          ['http.response.status_code', chance(random, 0.03) ? 500 : 200],
          ['client.address', `10.0.${service}.${below(random, 4)}`],
          ['user_agent.original', `agent/${below(random, 6)}`],
          ['http.response.body.size', below(random, 100_000)],
          ['thread.id', below(random, 200)],
          ['customer.id', `cust-${below(random, 50_000)}`],
          ...(service % 4 === 0 ? ([['order.id', `ord-${random.u32()}-${random.u32()}`]] as const) : []),
          ...(chance(random, 0.2) ? ([['feature.ratio', { double: fraction(random) }]] as const) : []),
          ...(chance(random, 0.02) ? ([['http.request.header.accept', ['text/html', 'image/webp']]] as const) : []),
        ],
      }),
    ),
    {
      kind: 'client',
      name: `SELECT shop.t${service}`,
      attributes: (random) => [
        ['db.system', 'postgresql'],
        ['db.operation', 'SELECT'],
        ['db.statement', `SELECT id, sku, price FROM t${service} WHERE id = $1 ORDER BY created_at DESC LIMIT 50`],
        ['server.address', `pg-${service % 4}.internal`],
        ['server.port', 5432],
        ['db.rows_affected', below(random, 50)],
      ],
    },
    {
      kind: 'client',
      name: 'redis GET',
      attributes: (random) => [
        ['db.system', 'redis'],
        ['db.statement', `GET s${service}:${below(random, 1_000_000)}`],
        ['server.port', 6379],
        ['cache.hit', chance(random, 0.8)],
      ],
    },
    {
      kind: 'client',
      name: `HTTP GET s${service}`,
      attributes: (random) => [
        ['http.request.method', 'GET'],
        ['url.full', `http://s${service}.shop.svc/api?id=${below(random, 1_000_000)}`],
        ['http.response.status_code', 200],
        ['server.address', `s${service}.shop.svc`],
      ],
    },
  ],
);

/**
 * An encoded ExportTraceServiceRequest as a Collector would send it: about a thousand spans of a few dozen traces of
 * services that call each other, a resource each, with what most spans have and what few have. No two are alike.
 */
export function madeUpRequest(random: Random, nowMs: number): Uint8Array {
  const writer = new ProtoWriter(512 * 1024);
  const byPod = new Map<number, Span[]>();
  for (let i = 0; i < TRACES; i++) {
    const traceId = random.bytes(16);
    const spans: Span[] = [];
    for (let left = 1 + below(random, MAX_SPANS_A_TRACE); left > 0; left--) {
      const parent = spans[below(random, spans.length)];
      const operation = OPERATIONS[below(random, OPERATIONS.length)] as Operation;
      const startNanos = (parent?.startNanos ?? BigInt(nowMs) * 1_000_000n) + BigInt(below(random, 3_000_000));
      const takesNanos = Math.floor(1e5 * 2 ** (8 * fraction(random)));
      const span = { operation, traceId, spanId: random.bytes(8), parentId: parent?.spanId, startNanos, takesNanos };
      spans.push(span);
      const pod = below(random, SERVICES * PODS);
      byPod.set(pod, [...(byPod.get(pod) ?? []), span]);
    }
  }
  for (const [pod, spans] of byPod) {
    const resourceSpans = writer.open(TRACES_DATA.resourceSpans);
    const resource = writer.open(RESOURCE_SPANS.resource);
    writeAttributes(writer, RESOURCE.attributes, attributesOfPod(pod));
    writer.close(resource);
    const scopeSpans = writer.open(RESOURCE_SPANS.scopeSpans);
    const scope = writer.open(SCOPE_SPANS.scope);
    writer.stringField(SCOPE.name, `io.opentelemetry.${pod % 4}`);
    writer.stringField(SCOPE.version, '2.3.0');
    writer.close(scope);
    for (const span of spans) writeSpan(writer, span, random);
    writer.close(scopeSpans);
    writer.close(resourceSpans);
  }
  return writer.toBytes();
}

function attributesOfPod(pod: number): Attributes {
  const service = Math.floor(pod / PODS);
  return [
    ['service.name', `s${service}`],
    ['service.version', `v1.${service}`],
    ['service.namespace', 'shop'],
    ['service.instance.id', `instance-${pod}`],
    ['k8s.pod.name', `s${service}-${pod % PODS}`],
    ['k8s.node.name', `node-${pod % 12}`],
    ['telemetry.sdk.language', 'java'],
    ['process.pid', 100 + pod],
  ];
}

function writeSpan(writer: ProtoWriter, span: Span, random: Random): void {
  const { operation, startNanos, takesNanos } = span;
  const endNanos = startNanos + BigInt(takesNanos);
  const at = writer.open(SCOPE_SPANS.spans);
  writer.bytesField(SPAN.traceId, span.traceId);
  writer.bytesField(SPAN.spanId, span.spanId);
  if (span.parentId !== undefined) writer.bytesField(SPAN.parentSpanId, span.parentId);
  writer.stringField(SPAN.name, operation.name);
  writer.tag(SPAN.kind, WIRE_VARINT);
  writer.varint(KINDS[operation.kind]);
  writeTime(writer, SPAN.startTimeUnixNano, startNanos);
  writeTime(writer, SPAN.endTimeUnixNano, endNanos);
  writeAttributes(writer, SPAN.attributes, operation.attributes(random));
  const fails = chance(random, 0.01);
  if (fails || chance(random, 0.05)) {
    const event = writer.open(SPAN.events);
    writeTime(writer, EVENT.timeUnixNano, endNanos);
    writer.stringField(EVENT.name, fails ? 'exception' : 'cache miss');
    const attributes: Attributes = fails
      ? [
          ['exception.type', 'java.net.SocketTimeoutException'],
          ['exception.message', 'Read timed out'],
          ['exception.stacktrace', STACK],
          ['exception.escaped', false],
        ]
      : [['cache.key', `key:${below(random, 1000)}`]];
    writeAttributes(writer, EVENT.attributes, attributes);
    writer.close(event);
  }
  if (chance(random, 0.01)) {
    const link = writer.open(SPAN.links);
    writer.bytesField(LINK.traceId, random.bytes(16));
    writer.bytesField(LINK.spanId, random.bytes(8));
    writer.close(link);
  }
  if (fails) {
    const status = writer.open(SPAN.status);
    writer.stringField(STATUS.message, 'Read timed out');
    writer.tag(STATUS.code, WIRE_VARINT);
    writer.varint(ERROR);
    writer.close(status);
  }
  writer.close(at);
}

function writeTime(writer: ProtoWriter, field: number, nanos: bigint): void {
  writer.tag(field, WIRE_FIXED64);
  writer.fixed64(Number(nanos & 0xffffffffn), Number(nanos >> 32n));
}

function writeAttributes(writer: ProtoWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of attributes) {
    const attribute = writer.open(field);
    writer.stringField(KEY_VALUE.key, key);
    writeValue(writer, KEY_VALUE.value, value);
    writer.close(attribute);
  }
}

function writeValue(writer: ProtoWriter, field: number, value: Value): void {
  const at = writer.open(field);
  if (typeof value === 'string') writer.stringField(ANY_VALUE.stringValue, value);
  else if (typeof value === 'object' && 'double' in value) {
    writer.tag(ANY_VALUE.doubleValue, WIRE_FIXED64);
    writer.double(value.double);
  } else if (typeof value === 'object') {
    const array = writer.open(ANY_VALUE.arrayValue);
    for (const element of value) writeValue(writer, VALUES.values, element);
    writer.close(array);
  } else {
    writer.tag(typeof value === 'boolean' ? ANY_VALUE.boolValue : ANY_VALUE.intValue, WIRE_VARINT);
    writer.varint(Number(value));
  }
  writer.close(at);
}

function below(random: Random, limit: number): number {
  return Math.floor(fraction(random) * limit);
}

function chance(random: Random, probability: number): boolean {
  return fraction(random) < probability;
}
