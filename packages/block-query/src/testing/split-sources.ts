import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, type StoredBlock, storeBlock } from '@vivace/block/testing';
import { Columnizer, ColumnSet, type ColumnSetView } from '@vivace/columns';
import type { Random } from '@vivace/kernel';
import { blockSource, headSource, type Source } from '../source.ts';
import { below, chance } from './random-choice.ts';

/** What is known of blocks is kept by their ids. */
let blocks = 0;

/** Requests as an ingester could have stored them: in heads and blocks, traces cut anywhere between them. */
export function splitSources(requests: readonly Uint8Array[], random: Random, count = below(random, 4) + 1): Source[] {
  return splitSets(requests, random, count).map((view, number) => {
    const block = chance(random, 0.5) ? undefined : storedBlock(`block ${++blocks}`, view, random);
    return block === undefined ? headSource(`head ${number}`, view) : storedSource(block);
  });
}

/** The same in blocks only. */
export function splitBlocks(requests: readonly Uint8Array[], random: Random, count = below(random, 4) + 1) {
  return splitSets(requests, random, count).flatMap((view) => storedBlock(`block ${++blocks}`, view, random) ?? []);
}

function splitSets(requests: readonly Uint8Array[], random: Random, count: number): ColumnSetView[] {
  const sets = Array.from(
    { length: count },
    () => new ColumnSet({ seed: 7, maxColumns: chance(random, 0.2) ? 3 : 100 }),
  );
  const columnizers = sets.map((set) => new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 }));
  for (const request of requests) {
    // Now and then a request arrives twice.
    for (let times = chance(random, 0.1) ? 2 : 1; times > 0; times--) columnizers[below(random, count)]?.add(request);
  }
  return sets.map((set) => set.view());
}

/** Undefined where nothing is alive. */
function storedBlock(id: string, view: ColumnSetView, random: Random): StoredBlock | undefined {
  const order = blockOrder(view);
  if (order.length === 0) return undefined;
  const options = chance(random, 0.5) ? { rowGroupRows: 1 + below(random, 12), pageRows: 1 + below(random, 8) } : {};
  const { place, ...block } = storeBlock(encodeBlock(view, order, options));
  return { ...block, place: { ...place, id } };
}

export function storedSource({ place, readRange }: StoredBlock): Source {
  return blockSource(
    openBlock({ place, readRange, cache: createBlockCache({ maxBytes: 1 << 24, keepsPartials: true }) }),
  );
}
