import { type ColumnSetView, compareResends, encodeSpans } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import type { EncodedBlock } from '../encode-block.ts';
import { SECTION_NAMES, type SectionName } from '../layout.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import type { MergedBlock, MergeOptions, MergeResult } from '../merge/merge-options.ts';
import { blockOrder, type StoredBlock, storeBlock } from '../testing.ts';

export interface MergedStore {
  content: MergedBlock;
  encoded: EncodedBlock;
  store: StoredBlock;
}

/** Merges blocks in memory to blocks in memory. */
export async function mergeStored(
  stores: readonly StoredBlock[],
  options: Omit<MergeOptions, 'inputs' | 'sink'> = {},
): Promise<{ merged: MergedStore[]; result: MergeResult }> {
  const written: Record<SectionName, Uint8Array[]>[] = [];
  const inputs = stores.map(({ place, readRange }, i) => ({ place: { ...place, id: `input-${i}` }, readRange }));
  const result = await mergeBlocks({
    ...options,
    inputs,
    async sink(block, section, bytes) {
      await Promise.resolve();
      written[block] ??= { spans: [], events: [], resources: [], traces: [], filter: [], index: [] };
      written[block][section].push(bytes);
    },
  });
  const merged = result.blocks.map((content): MergedStore => {
    const sections = written[content.block] as Record<SectionName, Uint8Array[]>;
    for (const name of SECTION_NAMES) {
      if (concatBytes(sections[name]).length !== content.lengths[name]) throw new Error(`${name} has another length`);
    }
    const encoded = { ...content, sections };
    return { content, encoded, store: storeBlock(encoded, 0) };
  });
  return { merged, result };
}

/** The live rows of a set in block order, each span once by the rule of resends. */
export function distinctOrder(set: ColumnSetView): Int32Array {
  const order = blockOrder(set);
  const spans = encodeSpans(set, order.toSorted());
  const places = new Map(Array.from(order.toSorted(), (row, place) => [row, place]));
  const placeOf = (row: number): number => places.get(row) as number;
  const kept: number[] = [];
  for (const row of order) {
    const last = kept.at(-1);
    if (last === undefined || !sameIdentity(set, last, row)) kept.push(row);
    else if (compareResends(spans, placeOf(row), spans, placeOf(last)) > 0) kept[kept.length - 1] = row;
  }
  return Int32Array.from(kept);
}

function sameIdentity({ trace, spanId, start, kind }: ColumnSetView, a: number, b: number): boolean {
  return (
    trace[a] === trace[b] &&
    spanId[2 * a] === spanId[2 * b] &&
    spanId[2 * a + 1] === spanId[2 * b + 1] &&
    start[2 * a] === start[2 * b] &&
    start[2 * a + 1] === start[2 * b + 1] &&
    kind[a] === kind[b]
  );
}
