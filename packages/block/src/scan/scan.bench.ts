import { seededRandom } from '@vivace/kernel';
import { createBlockCache } from '../cache.ts';
import { encodeBlock } from '../encode-block.ts';
import { openBlock } from '../open-block.ts';
import { blockOrder, createSetBuilder, storeBlock } from '../testing.ts';
import { batchesOf } from './group-run.ts';
import type { ColumnNeeds, RunColumns } from './run-columns.ts';

/*
 * What a scan costs: `node packages/block/src/scan/scan.bench.ts [spans]`. Milliseconds of CPU to decode columns of all
 * row groups from bytes in memory, with nothing decoded (cold) and again (warm). JIT warm-up is in the first round.
 */

const SPANS = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 5;

const random = seededRandom(1);
const below = (limit: number): number => random.u32() % limit;
const hex = (bytes: number): string =>
  Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');

function generate() {
  const builder = createSetBuilder();
  const resources = Array.from({ length: 72 }, (_, i) => Uint8Array.of(0x0a, 2, 0x10, i + 1));
  for (let made = 0; made < SPANS; ) {
    const traceId = hex(16);
    const ids: string[] = [];
    let time = 1_760_000_000_000_000_000n + BigInt(below(600_000)) * 1_000_000n + BigInt(below(1_000_000));
    for (let left = Math.min(SPANS - made, 3 + below(20)); left > 0; left--, made++) {
      const spanId = hex(8);
      time += BigInt(below(2_000_000));
      const parent = ids.length === 0 ? undefined : (ids[Math.max(0, ids.length - 1 - below(5))] as string);
      builder.add({
        traceId,
        spanId,
        ...(parent !== undefined && { parentId: parent }),
        start: time,
        end: time + BigInt(below(below(5_000_000) + 1)),
        name: `operation ${below(60)}`,
        kind: 1 + below(5),
        status: below(200) === 0 ? 2 : 0,
        resource: resources[below(72)] as Uint8Array,
        attributes: [
          ['http.route', `/api/v1/${below(200)}`],
          ['http.status_code', BigInt(200 + below(5))],
          ['url', `http://shop.svc/api/v1/list?id=${below(1_000_000)}`],
          ...(below(20) === 0 ? ([['customer.id', `cust-${below(50_000)}`]] as [string, string][]) : []),
          ...(below(2) === 0 ? ([['ratio', below(1000) / 999]] as [string, number][]) : []),
          ...(below(2) === 0 ? ([['hit', below(2) === 0]] as [string, boolean][]) : []),
        ],
      });
      ids.push(spanId);
    }
  }
  return builder.finish();
}

const needs = (part: Partial<ColumnNeeds>): ColumnNeeds => ({
  fields: new Set(),
  keys: new Set(),
  eventFields: new Set(),
  eventKeys: new Set(),
  ...part,
});

const cases: [name: string, needs: ColumnNeeds, use: (columns: RunColumns) => unknown][] = [
  ['nothing', needs({}), (columns) => columns.traceFirst()],
  [
    'resource, start',
    needs({ fields: new Set(['resource', 'start']) }),
    (columns) => [columns.resource(), columns.start()],
  ],
  ['resource', needs({ fields: new Set(['resource']) }), (columns) => columns.resource()],
  ['start', needs({ fields: new Set(['start']) }), (columns) => columns.start()],
  ['end', needs({ fields: new Set(['end']) }), (columns) => columns.end()],
  ['kind', needs({ fields: new Set(['kind']) }), (columns) => columns.kind()],
  ['status', needs({ fields: new Set(['status']) }), (columns) => columns.status()],
  ['name', needs({ fields: new Set(['name']) }), (columns) => columns.name()],
  ['spanIds', needs({ fields: new Set(['spanIds']) }), (columns) => columns.spanIds()],
  ['parentIds', needs({ fields: new Set(['parentIds']) }), (columns) => columns.parentIds()],
  ['traceIds', needs({ fields: new Set(['traceIds']) }), (columns) => columns.traceIds()],
  ...['http.route', 'http.status_code', 'url', 'customer.id', 'ratio', 'hit'].map((key): (typeof cases)[number] => [
    key,
    needs({ keys: new Set([key]) }),
    (columns) => columns.attributes(key),
  ]),
];

const set = generate();
const store = storeBlock(encodeBlock(set, blockOrder(set)), 0);
console.log(`milliseconds of CPU for ${SPANS} spans, cold by round, then warm`);
for (const [name, wanted, use] of cases) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const cache = createBlockCache({ maxBytes: 1 << 30 });
    const reader = openBlock({ place: store.place, readRange: store.readRange, cache });
    const runs = batchesOf(await reader.index());
    for (let group = 0; group < runs.length; group++) await reader.readTraceList(group);
    const scan = async (): Promise<number> => {
      const all = await Promise.all(runs.map((run) => reader.readRun(run)));
      let total = 0;
      for (const columns of all) {
        // The copy that stands for a read is not counted, what is decoded while fetching is.
        const before = process.cpuUsage();
        await columns.fetch(wanted);
        use(columns);
        const { user, system } = process.cpuUsage(before);
        total += (user + system) / 1000;
      }
      return total;
    };
    times.push(await scan());
    if (round === ROUNDS - 1) times.push(await scan());
  }
  console.log(`  ${name.padEnd(20)}${times.map((time) => time.toFixed(1).padStart(8)).join('')}`);
}
