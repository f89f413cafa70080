import type { ColumnSetView } from '@vivace/columns';
import { seededRandom } from '@vivace/kernel';
import { parquetMetadata } from 'hyparquet';
import { createBlockCache } from './cache.ts';
import { type EncodedBlock, encodeBlock } from './encode-block.ts';
import { SECTION_NAMES } from './layout.ts';
import { openBlock } from './open-block.ts';
import { createShop } from './testing/shop-spans.ts';
import { blockOrder, storeBlock } from './testing.ts';

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

const set = createShop(random).sets(SPANS)[0] as ColumnSetView;
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
