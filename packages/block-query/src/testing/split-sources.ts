import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, storeBlock } from '@vivace/block/testing';
import { Columnizer, ColumnSet, type ColumnSetView } from '@vivace/columns';
import type { Random } from '@vivace/kernel';
import { blockSource, headSource, type Source } from '../source.ts';
import { below, chance } from './random-choice.ts';

/** What is known of blocks is kept by their ids. */
let blocks = 0;

/** Requests as an ingester could have stored them: in heads and blocks, traces cut anywhere between them. */
export function splitSources(requests: readonly Uint8Array[], random: Random, count = below(random, 4) + 1): Source[] {
  const sets = Array.from(
    { length: count },
    () => new ColumnSet({ seed: 7, maxColumns: chance(random, 0.2) ? 3 : 100 }),
  );
  const columnizers = sets.map((set) => new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 }));
  for (const request of requests) {
    // Now and then a request arrives twice.
    for (let times = chance(random, 0.1) ? 2 : 1; times > 0; times--) columnizers[below(random, count)]?.add(request);
  }
  return sets.map((set, number) =>
    chance(random, 0.5)
      ? headSource(`head ${number}`, set.view())
      : storedSource(`block ${++blocks}`, set.view(), random),
  );
}

function storedSource(id: string, view: ColumnSetView, random: Random): Source {
  const order = blockOrder(view);
  if (order.length === 0) return headSource(id, view);
  const options = chance(random, 0.5) ? { rowGroupRows: 1 + below(random, 12), pageRows: 1 + below(random, 8) } : {};
  const { place, readRange } = storeBlock(encodeBlock(view, order, options));
  return blockSource(
    openBlock({
      place: { ...place, id },
      readRange,
      cache: createBlockCache({ maxBytes: 1 << 24, keepsPartials: true }),
    }),
  );
}
