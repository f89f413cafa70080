import { utf8Encode } from '@vivace/kernel';
import { ATTRIBUTE_TAG, attribute, text, type Value } from './attributes.ts';

/** One kind of span: its encoded name and the attributes that are always the same. */
export interface Operation {
  scope: number;
  kind: number;
  name: Uint8Array;
  /** The name, and the attributes that are always the same, as the truth about queries needs them. */
  label: string;
  attributes: ReadonlyMap<string, Value>;
  fixed: Uint8Array;
  /** Beginning of the one text attribute that differs each time (url, cache key, message id). */
  prefix: Uint8Array;
  write: boolean;
}

export interface Call {
  callee: number;
  overHttp: Operation;
  overRpc: Operation;
}

export interface Publication {
  consumer: number;
  produce: Operation;
  consume: Operation;
}

export const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const SCOPES = 5;
export const PODS = 3;
export const SCOPE = { http: 0, rpc: 1, database: 2, cache: 3, messaging: 4 } as const;

function operation(
  scope: number,
  kind: number,
  name: string,
  attributes: [string, Value][],
  prefix = '',
  write = false,
): Operation {
  return {
    scope,
    kind,
    name: text(0x2a, name),
    label: name,
    attributes: new Map(attributes),
    fixed: Uint8Array.from(attributes.flatMap(([key, value]) => [...attribute(ATTRIBUTE_TAG.span, key, value)])),
    prefix: utf8Encode(prefix),
    write,
  };
}

const address = (service: number) => `10.96.${service}.10`;
const host = (service: string) => `${service}.shop.svc.cluster.local`;

export function httpServer(service: string): Operation[] {
  const routes: [string, string][] = [
    ['GET', `/v1/${service}`],
    ['GET', `/v1/${service}/{id}`],
    ['GET', `/v1/${service}/{id}/details`],
    ['POST', `/v1/${service}`],
    ['PUT', `/v1/${service}/{id}`],
    ['POST', `/v1/${service}/batch`],
  ];
  return routes.map(([method, route]) =>
    operation(
      SCOPE.http,
      KIND.server,
      `${method} ${route}`,
      [
        ['http.request.method', method],
        ['http.route', route],
        ['url.scheme', 'http'],
        ['server.address', host(service)],
        ['server.port', 8080],
        ['network.protocol.version', '1.1'],
      ],
      `${route.replace('/{id}', '').replace('/details', '')}/`,
      method !== 'GET',
    ),
  );
}

export function rpcServer(service: string): Operation[] {
  return ['Get', 'List', 'Apply'].map((method) =>
    operation(
      SCOPE.rpc,
      KIND.server,
      `shop.${service}.v1.Service/${method}`,
      [
        ['rpc.system', 'grpc'],
        ['rpc.service', `shop.${service}.v1.Service`],
        ['rpc.method', method],
        ['server.address', host(service)],
        ['server.port', 9090],
        ['network.transport', 'tcp'],
      ],
      '',
      method === 'Apply',
    ),
  );
}

export function createCall(service: string, callee: number): Call {
  return {
    callee,
    overHttp: operation(
      SCOPE.http,
      KIND.client,
      'GET',
      [
        ['http.request.method', 'GET'],
        ['server.address', host(service)],
        ['server.port', 8080],
        ['network.protocol.version', '1.1'],
        ['network.peer.address', address(callee)],
        ['network.peer.port', 8080],
      ],
      `http://${host(service)}:8080/v1/${service}?ref=`,
    ),
    overRpc: operation(SCOPE.rpc, KIND.client, `shop.${service}.v1.Service/Get`, [
      ['rpc.system', 'grpc'],
      ['rpc.service', `shop.${service}.v1.Service`],
      ['rpc.method', 'Get'],
      ['server.address', host(service)],
      ['server.port', 9090],
      ['network.transport', 'tcp'],
      ['network.peer.address', address(callee)],
    ]),
  };
}

export function databaseQueries(service: string, system: string): Operation[] {
  const tables = [service, `${service}_history`];
  return tables.flatMap((table) =>
    [
      ['SELECT', `SELECT id, version, payload, updated_at FROM ${table} WHERE id = $1 AND shop_id = $2 LIMIT 100`],
      ['SELECT', `SELECT count(*) FROM ${table} WHERE updated_at > $1 AND state = ANY($2)`],
      ['UPDATE', `UPDATE ${table} SET payload = $1, version = version + 1 WHERE id = $2 AND version = $3`],
      ['INSERT', `INSERT INTO ${table} (id, shop_id, payload) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`],
    ].map(([verb, statement]) =>
      operation(SCOPE.database, KIND.client, `${verb} ${table}`, [
        ['db.system.name', system],
        ['db.namespace', 'shop'],
        ['db.operation.name', verb as string],
        ['db.collection.name', table],
        ['db.query.text', statement as string],
        ['server.address', `${system}-${service.length % 4}.data.internal`],
        ['server.port', 5432],
        ['network.peer.address', address(200 + (service.length % 4))],
      ]),
    ),
  );
}

export function cacheCommands(service: string): Operation[] {
  return ['GET', 'SET', 'HGETALL'].map((command) =>
    operation(
      SCOPE.cache,
      KIND.client,
      command,
      [
        ['db.system.name', 'redis'],
        ['db.operation.name', command],
        ['db.namespace', '0'],
        ['server.address', 'redis.data.internal'],
        ['server.port', 6379],
        ['network.peer.address', '10.97.0.11'],
        ['network.peer.port', 6379],
      ],
      `${command} ${service}:`,
    ),
  );
}

export function publication(service: string, consumerName: string, consumer: number): Publication {
  const topic = `shop.${service}.events`;
  const shared: [string, Value][] = [
    ['messaging.system', 'kafka'],
    ['messaging.destination.name', topic],
    ['messaging.client.id', `${consumerName}-${service}`],
    ['server.address', 'kafka.data.internal'],
    ['server.port', 9092],
  ];
  return {
    consumer,
    produce: operation(SCOPE.messaging, KIND.producer, `send ${topic}`, [
      ...shared,
      ['messaging.operation.type', 'send'],
    ]),
    consume: operation(SCOPE.messaging, KIND.consumer, `process ${topic}`, [
      ...shared,
      ['messaging.operation.type', 'process'],
      ['messaging.consumer.group.name', consumerName],
    ]),
  };
}

/** Event.name and attributes of an exception, without the time. */
export function exceptionEvent(type: string, what: string, style: string, service: string): Uint8Array {
  const frames = Array.from({ length: 9 }, (_, depth) => {
    const line = 30 + ((depth * 37 + service.length * 11) % 400);
    if (style === 'java') return `\tat com.shop.${service}.layer${depth}.Handler.handle(Handler.java:${line})`;
    if (style === 'node') return `    at handle${depth} (/app/${service}/dist/layer${depth}.js:${line}:17)`;
    return `  File "/app/${service}/layer${depth}.py", line ${line}, in handle`;
  });
  return Uint8Array.from([
    ...text(0x12, 'exception'),
    ...attribute(ATTRIBUTE_TAG.event, 'exception.type', type),
    ...attribute(ATTRIBUTE_TAG.event, 'exception.message', what),
    ...attribute(ATTRIBUTE_TAG.event, 'exception.stacktrace', `${type}: ${what}\n${frames.join('\n')}`),
    ...attribute(ATTRIBUTE_TAG.event, 'exception.escaped', true),
  ]);
}
