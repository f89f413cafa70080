import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, createSetBuilder, storeBlock } from '@vivace/block/testing';
import { seededRandom } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse, parseField } from '@vivace/traceql';
import type { Filter } from '../needs.ts';
import { blockSource, headSource, type Source } from '../source.ts';
import { tagValues } from './tag-values.ts';
import { tags } from './tags.ts';

/*
 * What lists of tags cost: `node packages/block-query/src/tags/tags.bench.ts [spans]`. Median milliseconds of one
 * thread, columns decoded, of a block and of a head. Most keys are of some services only, as they are in life.
 */

const SPANS = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 15;

const random = seededRandom(1);
const below = (limit: number): number => random.u32() % limit;
const hex = (bytes: number): string =>
  Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');

function resourceOf(service: number): Uint8Array {
  const attributes = [
    { key: 'service.name', value: { stringValue: `service ${service % 12}` } },
    { key: 'k8s.pod.name', value: { stringValue: `pod-${service}` } },
    { key: 'process.command_args', value: { arrayValue: { values: [{ stringValue: 'serve' }] } } },
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
    const ids: string[] = [];
    let time = 1_760_000_000_000_000_000n + BigInt(below(600_000)) * 1_000_000n;
    for (let left = Math.min(SPANS - made, 3 + below(20)); left > 0; left--, made++) {
      const spanId = hex(8);
      time += BigInt(below(2_000_000));
      const parent = ids.length === 0 ? undefined : (ids[Math.max(0, ids.length - 1 - below(5))] as string);
      const service = below(72);
      builder.add({
        traceId,
        spanId,
        ...(parent !== undefined && { parentId: parent }),
        start: time,
        end: time + BigInt(below(5_000_000)),
        name: `operation ${below(60)}`,
        kind: 1 + below(5),
        status: below(200) === 0 ? 2 : 0,
        resource: resources[service] as Uint8Array,
        attributes: [
          ['http.route', `/api/v1/${below(200)}`],
          ['http.status_code', BigInt(200 + below(5))],
          ...(below(20) === 0 ? ([['customer.id', `cust-${below(50_000)}`]] as [string, string][]) : []),
          ...Array.from({ length: 3 }, (_, i): [string, string] => [
            `app.service${service % 12}.key${i}`,
            `value ${below(30)}`,
          ]),
        ],
      });
      ids.push(spanId);
    }
  }
  return builder.finish();
}

const FILTERS = [
  '',
  '{ status = error }',
  '{ resource.service.name = "service 3" }',
  '{ span.http.route = "/api/v1/7" && kind = server }',
  '{ nestedSetParent < 0 }',
];
const FIELDS = [
  'span.http.route',
  'resource.service.name',
  'name',
  '.http.status_code',
  'rootName',
  'span.customer.id',
];

const options = { signal: new AbortController().signal, breathe: async () => undefined };

const set = generate();
const store = storeBlock(encodeBlock(set, blockOrder(set)), 0);
const reader = openBlock({ ...store, cache: createBlockCache({ maxBytes: 4 << 30 }) });
const sources: [string, Source][] = [
  ['block', blockSource(reader)],
  ['head', headSource('head', set)],
];
for (const [name, source] of sources) {
  console.log(`${name} of ${SPANS} spans, ${(await source.batches(options.signal)).length} batches, ms`);
  for (const text of FILTERS) {
    const filter = text === '' ? undefined : (parse(text).pipeline.stages[0] as Filter);
    const run = async (title: string, work: () => Promise<number>): Promise<void> => {
      const times: number[] = [];
      let count = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const started = performance.now();
        count = await work();
        times.push(performance.now() - started);
      }
      const median = times.toSorted((a, b) => a - b)[ROUNDS >> 1] as number;
      console.log(
        `  ${text.padEnd(52)}${title.padEnd(24)}${String(count).padStart(7)}${median.toFixed(2).padStart(9)}`,
      );
    };
    await run('tags', async () => {
      const { scopes } = await tags([source], { scope: undefined, filter, limit: 0 }, options);
      return scopes.reduce((sum, one) => sum + one.tags.length, 0);
    });
    for (const field of FIELDS) {
      const request = { field: parseField(field), filter, limit: 0 };
      await run(field, async () => (await tagValues([source], request, options)).values.length);
    }
  }
}
