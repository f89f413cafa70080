import { fraction, type Random } from '@vivace/kernel';
import { ATTRIBUTE_TAG, attribute, message, text, type Value } from './attributes.ts';
import {
  type Call,
  cacheCommands,
  createCall,
  databaseQueries,
  exceptionEvent,
  httpServer,
  type Operation,
  PODS,
  type Publication,
  publication,
  rpcServer,
} from './operations.ts';

/**
 * The shop whose traces the bench sends: 24 services with three pods each, what they call, and every constant
 * part of their telemetry already encoded. Attributes follow the OpenTelemetry semantic conventions 1.38.
 */
export interface Shop {
  services: Service[];
  /** One of these attributes on each request from outside. */
  userAgents: Uint8Array[];
  failures: Failure[];
}

export interface Service {
  name: string;
  pods: Pod[];
  /** Whom it calls over HTTP or gRPC while it serves. */
  calls: Call[];
  http: Operation[];
  rpc: Operation[];
  queries: Operation[];
  cache: Operation[];
  /** Sends a message that `consumer` takes up later. */
  publishes: Publication | undefined;
  /** Carries the order's id on its spans. */
  knowsOrder: boolean;
}

export interface Pod {
  resource: Uint8Array;
  /** ResourceSpans.schema_url, complete with tag. */
  schemaUrl: Uint8Array;
  scopes: Uint8Array[];
  /** This pod as its callees see it. */
  clientAddress: Uint8Array;
  /** Its clock's distance from the truth, in nanoseconds; set by the dataset's options. */
  skewNs: number;
}

interface Failure {
  message: string;
  /** Span.status, complete. */
  status: Uint8Array;
  /** The exception event's name and attributes, for each service's own stack. */
  event: Uint8Array[];
}

const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.38.0';
const REGIONS = ['eu-central-1', 'us-east-2', 'ap-south-1'];

type Language = 'java' | 'go' | 'nodejs' | 'python' | 'dotnet';

const LIBRARIES: Record<Language, [string, string, string, string, string]> = {
  java: ['tomcat-10.0', 'grpc-1.6', 'jdbc', 'lettuce-5.1', 'kafka-clients-2.6'].map(
    (name) => `io.opentelemetry.${name}`,
  ) as [string, string, string, string, string],
  go: [
    'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp',
    'go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc',
    'github.com/XSAM/otelsql',
    'github.com/redis/go-redis/extra/redisotel',
    'github.com/IBM/sarama/otelsarama',
  ],
  nodejs: ['http', 'grpc', 'pg', 'ioredis', 'kafkajs'].map((name) => `@opentelemetry/instrumentation-${name}`) as [
    string,
    string,
    string,
    string,
    string,
  ],
  python: ['asgi', 'grpc', 'psycopg2', 'redis', 'confluent_kafka'].map(
    (name) => `opentelemetry.instrumentation.${name}`,
  ) as [string, string, string, string, string],
  dotnet: [
    'Microsoft.AspNetCore',
    'OpenTelemetry.Instrumentation.GrpcNetClient',
    'Npgsql',
    'OpenTelemetry.Instrumentation.StackExchangeRedis',
    'Confluent.Kafka.Extensions.Diagnostics',
  ],
};

/** name, language, callees, database, cache, consumer of what it publishes */
type Line = [string, Language, string[], string | undefined, boolean, string | undefined];

const SERVICES: Line[] = [
  ['edge', 'go', ['storefront', 'mobile', 'session'], undefined, true, undefined],
  ['storefront', 'nodejs', ['catalogue', 'search', 'basket', 'adverts', 'suggest'], undefined, true, undefined],
  ['mobile', 'nodejs', ['catalogue', 'basket', 'checkout', 'accounts', 'search'], undefined, true, undefined],
  ['session', 'go', ['accounts'], undefined, true, undefined],
  ['basket', 'dotnet', ['pricing', 'stock'], undefined, true, undefined],
  ['checkout', 'java', ['basket', 'payments', 'orders', 'delivery', 'vouchers'], 'postgresql', false, undefined],
  ['payments', 'java', ['risk', 'invoices'], 'postgresql', false, 'invoices'],
  ['stock', 'go', ['warehouse'], 'postgresql', true, undefined],
  ['catalogue', 'java', ['pricing', 'ratings'], 'mysql', true, undefined],
  ['search', 'java', ['catalogue'], 'opensearch', true, undefined],
  ['suggest', 'python', ['catalogue'], 'postgresql', true, undefined],
  ['delivery', 'nodejs', ['currency', 'warehouse'], 'postgresql', false, 'notifier'],
  ['pricing', 'go', ['currency'], 'postgresql', true, undefined],
  ['currency', 'go', [], undefined, true, undefined],
  ['vouchers', 'dotnet', [], 'postgresql', false, undefined],
  ['mailer', 'python', ['accounts'], 'postgresql', false, undefined],
  ['notifier', 'nodejs', ['mailer'], undefined, true, undefined],
  ['orders', 'java', ['accounts', 'stock'], 'postgresql', false, 'warehouse'],
  ['accounts', 'dotnet', [], 'postgresql', true, undefined],
  ['ratings', 'python', ['accounts'], 'mongodb', true, undefined],
  ['adverts', 'java', ['suggest'], undefined, true, undefined],
  ['risk', 'python', ['accounts', 'orders'], 'postgresql', true, undefined],
  ['invoices', 'java', ['mailer'], 'postgresql', false, undefined],
  ['warehouse', 'go', [], 'postgresql', false, undefined],
];

const WITH_ORDER = new Set(['checkout', 'payments', 'orders', 'invoices', 'warehouse', 'delivery']);

const USER_AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'ShopApp/7.4.1 (Android 15; Pixel 9)',
];

const FAILURES: [string, string, string][] = [
  ['java.net.SocketTimeoutException', 'Read timed out', 'java'],
  ['org.postgresql.util.PSQLException', 'ERROR: could not serialize access due to concurrent update', 'java'],
  ['OutOfStockError', 'requested quantity is not available', 'node'],
  ['grpc.RpcError', 'UNAVAILABLE: failed to connect to all addresses', 'python'],
];

/** The same shop for the same random numbers; `clockSkewMs` is how far a pod's clock may be wrong either way. */
export function createShop(random: Random, clockSkewMs: number): Shop {
  const index = new Map(SERVICES.map(([name], at) => [name, at]));
  const services = SERVICES.map(([name, language, callees, database, cache, consumer]): Service => {
    const version = `${1 + (name.length % 4)}.${name.charCodeAt(0) % 20}.${name.charCodeAt(1) % 10}`;
    return {
      name,
      pods: Array.from({ length: PODS }, (_, pod) => createPod(random, name, language, version, pod, clockSkewMs)),
      calls: callees.map((callee) => createCall(callee, index.get(callee) as number)),
      http: httpServer(name),
      rpc: rpcServer(name),
      queries: database === undefined ? [] : databaseQueries(name, database),
      cache: cache ? cacheCommands(name) : [],
      publishes: consumer === undefined ? undefined : publication(name, consumer, index.get(consumer) as number),
      knowsOrder: WITH_ORDER.has(name),
    };
  });
  return {
    services,
    userAgents: USER_AGENTS.map((agent) => attribute(ATTRIBUTE_TAG.span, 'user_agent.original', agent)),
    failures: FAILURES.map(([type, what, style]) => ({
      message: what,
      status: message(0x7a, text(0x12, what), Uint8Array.of(0x18, 2)),
      event: SERVICES.map(([name]) => exceptionEvent(type, what, style, name)),
    })),
  };
}

function createPod(
  random: Random,
  service: string,
  language: Language,
  version: string,
  pod: number,
  clockSkewMs: number,
): Pod {
  const hex = (digits: number) => Array.from({ length: digits }, () => '0123456789abcdef'[random.u32() & 15]).join('');
  const podName = `${service}-${hex(10)}-${hex(5)}`;
  const zone = REGIONS[pod] as string;
  const resource: [string, Value][] = [
    ['service.name', service],
    ['service.version', version],
    ['service.namespace', 'shop'],
    ['service.instance.id', `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`],
    ['deployment.environment.name', 'production'],
    ['k8s.namespace.name', 'shop'],
    ['k8s.deployment.name', service],
    ['k8s.pod.name', podName],
    ['k8s.node.name', `node-${pod}-${hex(4)}`],
    ['k8s.container.name', service],
    ['host.name', podName],
    ['cloud.provider', 'aws'],
    ['cloud.region', zone],
    ['process.pid', 1 + (random.u32() % 400)],
    ['telemetry.sdk.language', language],
    ['telemetry.sdk.name', 'opentelemetry'],
    ['telemetry.sdk.version', '1.54.0'],
  ];
  return {
    resource: message(0x0a, ...resource.map(([key, value]) => attribute(ATTRIBUTE_TAG.resource, key, value))),
    schemaUrl: text(0x1a, SCHEMA_URL),
    scopes: LIBRARIES[language].map((library) => message(0x0a, text(0x0a, library), text(0x12, '2.19.0'))),
    clientAddress: attribute(
      ATTRIBUTE_TAG.span,
      'client.address',
      `10.${pod}.${random.u32() % 250}.${random.u32() % 250}`,
    ),
    skewNs: Math.floor((fraction(random) * 2 - 1) * clockSkewMs * 1e6),
  };
}
