import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, createSetBuilder, storeBlock } from '@vivace/block/testing';
import { seededRandom } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse } from '@vivace/traceql';
import { metrics } from '../metrics.ts';
import { blockSource } from '../source.ts';

/*
 * What metrics cost: `node packages/block-query/src/metrics/metrics.bench.ts [spans]`. Median milliseconds of CPU of one
 * thread, columns decoded, of a block of eight row groups, 60 intervals.
 */

const SPANS = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 15;
const START = 1_760_000_000_000_000_000n;
const RANGE = 600_000_000_000n;

const random = seededRandom(1);
const below = (limit: number): number => random.u32() % limit;
const hex = (bytes: number): string =>
  Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');

function resourceOf(number: number): Uint8Array {
  const attributes = [
    { key: 'service.name', value: { stringValue: `service ${number % 12}` } },
    { key: 'k8s.pod.name', value: { stringValue: `pod-${number}` } },
  ];
  // A ResourceSpans message is the one field of this TracesData: its tag and length are left out.
  const bytes = encodeTraces({ resourceSpans: [{ resource: { attributes } }] });
  return bytes.subarray((bytes[1] as number) < 0x80 ? 2 : 3);
}

function generate() {
  const builder = createSetBuilder();
  const resources = Array.from({ length: 72 }, (_, i) => resourceOf(i));
  for (let made = 0; made < SPANS; ) {
    const traceId = hex(16);
    let time = START + BigInt(below(600_000)) * 1_000_000n;
    for (let left = Math.min(SPANS - made, 3 + below(20)); left > 0; left--, made++) {
      time += BigInt(below(2_000_000));
      builder.add({
        traceId,
        spanId: hex(8),
        start: time,
        end: time + BigInt(below(below(5_000_000) + 1)),
        name: `operation ${below(60)}`,
        kind: 1 + below(5),
        status: below(200) === 0 ? 2 : 0,
        resource: resources[below(72)] as Uint8Array,
        attributes: [
          ['http.route', `/api/v1/${below(200)}`],
          ['http.status_code', BigInt(200 + below(5))],
          ...(below(2) === 0 ? ([['bytes', BigInt(below(100_000))]] as [string, bigint][]) : []),
          ...(below(20) === 0 ? ([['customer.id', `cust-${below(50_000)}`]] as [string, string][]) : []),
        ],
      });
    }
  }
  return builder.finish();
}

const QUERIES = [
  '{ } | rate()',
  '{ } | rate() by(resource.service.name)',
  '{ } | rate() by(resource.service.name, status)',
  '{ } | rate() by(span.http.route, name)',
  '{ status = error } | rate() by(resource.service.name)',
  '{ span.http.status_code = 200 } | rate() by(.http.route)',
  '{ } | histogram_over_time(duration)',
  '{ } | quantile_over_time(duration, .5, .9, .99)',
  '{ } | quantile_over_time(duration, .99) by(span.http.route)',
  '{ } | quantile_over_time(span.bytes, .99) by(resource.service.name)',
  '{ } | avg_over_time(duration) by(name)',
  '{ } | max_over_time(span.bytes) by(name)',
  '{ } | rate() by(resource.service.name) | topk(3)',
  '{ } | compare({ status = error })',
  '{ status = error } | count() > 0 | rate() by(name)',
];

const set = generate();
const rowGroupRows = Math.ceil(SPANS / 8);
const store = storeBlock(encodeBlock(set, blockOrder(set), { rowGroupRows }), 0);
const cache = createBlockCache({ maxBytes: 1 << 30 });
const sources = [blockSource(openBlock({ place: store.place, readRange: store.readRange, cache }))];
const options = { signal: new AbortController().signal, breathe: async () => undefined };
const request = { startUnixNano: START, endUnixNano: START + RANGE, stepNanos: RANGE / 60n, maxSeries: 1000 };

console.log(`milliseconds of CPU for ${SPANS} spans: median without exemplars, with 100, and the first time`);
for (const text of QUERIES) {
  const query = parse(text);
  const run = async (exemplars: number): Promise<number> => {
    const before = process.cpuUsage();
    await metrics(sources, { ...request, query, exemplars }, options);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const first = await run(0);
  const medians: number[] = [];
  for (const exemplars of [0, 100]) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await run(exemplars));
    medians.push(times.sort((a, b) => a - b)[ROUNDS >> 1] as number);
  }
  console.log(`  ${text.padEnd(72)}${[...medians, first].map((time) => time.toFixed(1).padStart(8)).join('')}`);
}
