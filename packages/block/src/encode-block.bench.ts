import { bytesToHex, seededRandom, utf8Encode } from '@vivace/kernel';
import { parquetMetadata } from 'hyparquet';
import { createBlockCache } from './cache.ts';
import { type EncodedBlock, encodeBlock } from './encode-block.ts';
import { SECTION_NAMES } from './layout.ts';
import { openBlock } from './open-block.ts';
import { blockOrder, createSetBuilder, storeBlock, type TestAttribute, type TestSpan } from './testing.ts';

/*
 * What a block costs: `node packages/block/src/encode-block.bench.ts [spans] [page rows]`. Spans a second of
 * encoding, bytes a span by section and column, milliseconds a lookup, on spans shaped like those of a shop of 24
 * services with about 30 attribute columns. JIT warm-up is in the first rounds.
 */

const SPANS = Number(process.argv[2] ?? 400_000);
const PAGE_ROWS = Number(process.argv[3] ?? 16_384);
const ROUNDS = 5;

const random = seededRandom(1);
const below = (limit: number): number => random.u32() % limit;
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
const hex = (bytes: number): string => bytesToHex(Uint8Array.from({ length: bytes }, () => below(256)));
const lognormal = (median: number): bigint =>
  BigInt(Math.floor(median * Math.exp((below(1000) + below(1000) + below(1000)) / 500 - 3)));

const services = Array.from({ length: 24 }, (_, i) => `service-${i}`);
const resources = Array.from({ length: 72 }, (_, i) => resource(services[i % 24] as string, hex(8)));

function resource(service: string, pod: string): Uint8Array {
  const attribute = (key: string, value: string): number[] => {
    const any = [0x0a, value.length, ...utf8Encode(value)];
    const body = [0x0a, key.length, ...utf8Encode(key), 0x12, any.length, ...any];
    return [0x0a, body.length, ...body];
  };
  const body = [...attribute('service.name', service), ...attribute('k8s.pod.name', `${service}-${pod}`)];
  return Uint8Array.of(0x0a, body.length, ...body);
}

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

function generate() {
  const builder = createSetBuilder();
  for (let made = 0; made < SPANS; ) {
    const traceId = hex(16);
    const customer = `cust-${below(50_000)}`;
    const ids: string[] = [];
    let time = 1_760_000_000_000_000_000n + BigInt(below(600_000)) * 1_000_000n + BigInt(below(1_000_000));
    for (let left = Math.min(SPANS - made, 3 + Number(lognormal(10))); left > 0; left--, made++) {
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
      builder.add(span);
      ids.push(spanId);
    }
  }
  return builder.finish();
}

const set = generate();
const order = blockOrder(set);
let block: EncodedBlock | undefined;
const rates: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const before = performance.now();
  block = encodeBlock(set, order, { pageRows: PAGE_ROWS });
  rates.push(SPANS / (performance.now() - before));
}
if (block === undefined) throw new Error('no round was run');
console.log(`encode, thousand spans/s by round: ${rates.map((rate) => rate.toFixed(0)).join(' ')}`);
const store = storeBlock(block, 0);
let total = 0;
for (const name of SECTION_NAMES) {
  const { length } = store.place.sections[name];
  total += length;
  console.log(`${name.padEnd(12)}${(length / SPANS).toFixed(2).padStart(8)} bytes a span`);
}
console.log(`${'block'.padEnd(12)}${(total / SPANS).toFixed(2).padStart(8)} bytes a span`);
const columns = new Map<string, number>();
const parquet = store.objects.get('spans.parquet') as Uint8Array<ArrayBuffer>;
for (const { columns: chunks } of parquetMetadata(parquet.buffer).row_groups) {
  for (const { meta_data: metadata } of chunks) {
    if (metadata === undefined) continue;
    const name = metadata.path_in_schema.join('.');
    columns.set(name, (columns.get(name) ?? 0) + Number(metadata.total_compressed_size));
  }
}
for (const [name, bytes] of [...columns].sort((a, b) => b[1] - a[1])) {
  console.log(`  ${name.padEnd(36)}${(bytes / SPANS).toFixed(3).padStart(8)}`);
}

const cache = createBlockCache({ maxBytes: 256 * 1024 * 1024 });
const traceIds = Array.from({ length: 400 }, () => {
  const trace = set.trace[order[below(order.length)] as number] as number;
  return set.traceIds.slice(16 * trace, 16 * trace + 16);
});
for (const pass of ['cold', 'warm', 'warm']) {
  const times: number[] = [];
  for (const traceId of traceIds) {
    const held = pass === 'cold' ? createBlockCache({ maxBytes: 1 << 28 }) : cache;
    const reader = openBlock({ place: store.place, readRange: store.readRange, cache: held });
    const before = performance.now();
    await reader.readTrace(traceId);
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  console.log(`by id, ${pass}: p50 ${times[200]?.toFixed(2)} ms, p95 ${times[380]?.toFixed(2)} ms`);
}
