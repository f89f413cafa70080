import type { ColumnSetView } from '@vivace/columns';
import { bytesToHex, type Random, utf8Encode } from '@vivace/kernel';
import { createSetBuilder, type TestAttribute, type TestSpan } from '../testing.ts';

export interface ShopOptions {
  /** Sets that spans come to; each trace to one of them. Default 1. */
  sets?: number;
  /** One trace in so many has its spans in two sets. Default: none. */
  splitOneIn?: number;
  /** One span in so many is in two sets. Default: none. */
  resentOneIn?: number;
  /** One trace has so many spans, over all sets. Default: none. */
  giantSpans?: number;
}

/** Makes spans like those of a shop of 24 services with about 30 attribute columns, for benchmarks. */
export function createShop(random: Random): { sets(spans: number, options?: ShopOptions): ColumnSetView[] } {
  const below = (limit: number): number => random.u32() % limit;
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const hex = (bytes: number): string => bytesToHex(Uint8Array.from({ length: bytes }, () => below(256)));
  const lognormal = (median: number): bigint =>
    BigInt(Math.floor(median * Math.exp((below(1000) + below(1000) + below(1000)) / 500 - 3)));

  const services = Array.from({ length: 24 }, (_, i) => `service-${i}`);
  const resources = Array.from({ length: 72 }, (_, i) => resource(services[i % 24] as string, hex(8)));

  function attributesOf(
    kind: 'server' | 'http' | 'grpc' | 'db' | 'redis',
    service: number,
    customer: string,
  ): TestAttribute[] {
    const name = services[service] as string;
    switch (kind) {
      case 'server':
        return [
          ['http.request.method', pick(['GET', 'GET', 'GET', 'POST', 'PUT'])],
          ['http.route', `/api/v1/${name}/${pick(['list', '{id}', 'create', 'update', 'status', 'bulk'])}`],
          ['url.path', `/api/v1/${name}/${below(6) === 0 ? below(1_000_000) : 'list'}`],
          ['http.response.status_code', pick([200n, 200n, 200n, 200n, 500n, 503n])],
          ['url.scheme', 'http'],
          ['server.address', `${name}.shop-prod.svc`],
          ['client.address', `10.${service}.${below(3)}.20`],
          [
            'user_agent.original',
            pick(['Mozilla/5.0 (Macintosh)', 'okhttp/4.12.0', 'python-requests/2.31.0', 'Go-http-client/2.0']),
          ],
          ['network.protocol.version', '1.1'],
          ['http.response.body.size', lognormal(2000)],
          ['thread.id', BigInt(below(200))],
          ...(below(4) === 0 ? ([['customer.id', customer]] as TestAttribute[]) : []),
          ...(below(5) === 0 ? ([['feature.ratio', below(1000) / 1000]] as TestAttribute[]) : []),
        ];
      case 'http':
        return [
          ['http.request.method', pick(['GET', 'GET', 'POST'])],
          ['url.full', `http://${name}.shop-prod.svc/api/v1/${name}/list?id=${below(1_000_000)}`],
          ['http.response.status_code', 200n],
          ['server.address', `${name}.shop-prod.svc`],
          ['server.port', 8080n],
          ['network.protocol.version', '1.1'],
        ];
      case 'grpc':
        return [
          ['rpc.system', 'grpc'],
          ['rpc.service', `shop.${name}.Service`],
          ['rpc.method', 'Call'],
          ['rpc.grpc.status_code', 0n],
          ['server.address', `${name}.shop-prod.svc`],
          ['server.port', 9090n],
        ];
      case 'db':
        return [
          ['db.system', 'postgresql'],
          ['db.name', 'shop'],
          ['db.operation', pick(['SELECT', 'SELECT', 'INSERT', 'UPDATE'])],
          ['db.sql.table', `${name}_${pick(['main', 'events', 'audit'])}`],
          ['db.statement', `SELECT id, sku, qty, price FROM ${name} WHERE id = $1 AND tenant = $2 ORDER BY created_at`],
          ['server.address', `pg-${service % 4}.db.internal`],
          ['server.port', 5432n],
          ['db.rows_affected', BigInt(below(50))],
          ['thread.name', `worker-${below(16)}`],
        ];
      case 'redis':
        return [
          ['db.system', 'redis'],
          ['db.statement', `GET ${name}:${below(1_000_000)}`],
          ['server.address', 'redis-0.cache.internal'],
          ['server.port', 6379n],
          ['cache.hit', below(5) > 0],
        ];
    }
  }

  return {
    /** So many spans in all; the first set has what there is beyond a whole number of traces. */
    sets(spans, { sets = 1, splitOneIn = 0, resentOneIn = 0, giantSpans = 0 } = {}) {
      const builders = Array.from({ length: sets }, () => createSetBuilder());
      for (let made = 0; made < spans; ) {
        const traceId = hex(16);
        const customer = `cust-${below(50_000)}`;
        const ids: string[] = [];
        let time = 1_760_000_000_000_000_000n + BigInt(below(600_000)) * 1_000_000n + BigInt(below(1_000_000));
        // No random number more for one set: what the cut writes of these spans must stay comparable.
        const home = sets === 1 ? 0 : below(sets);
        const giant = giantSpans > 0 && made === 0;
        const split = giant || (splitOneIn > 0 && below(splitOneIn) === 0);
        const wanted = giant ? giantSpans : 3 + Number(lognormal(10));
        for (let left = Math.min(spans - made, wanted); left > 0; left--, made++) {
          const service = below(24);
          const kind = pick(['server', 'server', 'http', 'grpc', 'db', 'db', 'redis'] as const);
          const spanId = hex(8);
          time += below(2) === 0 ? 300_000n : lognormal(700_000);
          const parent = ids.length === 0 ? undefined : (ids[Math.max(0, ids.length - 1 - below(5))] as string);
          const span: TestSpan = {
            traceId,
            spanId,
            ...(parent !== undefined && { parentId: parent }),
            start: time,
            end: time + lognormal(1_500_000),
            name:
              kind === 'server'
                ? `GET /api/v1/${services[service]}/list`
                : kind === 'grpc'
                  ? `shop.${services[service]}/Call`
                  : `${kind} call`,
            kind: kind === 'server' ? 2 : 3,
            status: below(200) === 0 ? 2 : 0,
            flags: 0x101,
            resource: pick(resources),
            attributes: attributesOf(kind, service, customer),
            ...(below(40) === 0 && {
              events: [{ name: 'cache miss', time, attributes: [['cache.key', `k:${below(1000)}`]] }],
            }),
          };
          const to = split ? (home + below(2)) % sets : home;
          builders[giant ? below(sets) : to]?.add(span);
          if (resentOneIn > 0 && below(resentOneIn) === 0) builders[(to + 1) % sets]?.add(span);
          ids.push(spanId);
        }
      }
      return builders.map((builder) => builder.finish());
    },
  };
}

function resource(service: string, pod: string): Uint8Array {
  const attribute = (key: string, value: string): number[] => {
    const any = [0x0a, value.length, ...utf8Encode(value)];
    const body = [0x0a, key.length, ...utf8Encode(key), 0x12, any.length, ...any];
    return [0x0a, body.length, ...body];
  };
  const body = [...attribute('service.name', service), ...attribute('k8s.pod.name', `${service}-${pod}`)];
  return Uint8Array.of(0x0a, body.length, ...body);
}
