import type { MatchedBatch } from './matched-batches.ts';
import { RowSet } from './row-set.ts';

/**
 * The first span without a parent of each trace of which a row was chosen. Of traces that other sources have parts of,
 * every such span: which one is the first, and whether a row there was chosen, is not known here.
 */
export function rootRows({ rows: { batch }, chosen, seamed }: MatchedBatch): RowSet {
  const first = batch.traceFirst();
  const order = batch.order();
  const parents = batch.parentIds();
  const flags = chosen.flags();
  const roots = new Int32Array(batch.rows);
  let count = 0;
  for (let trace = 0; trace < batch.traceCount; trace++) {
    const from = first[trace] as number;
    const to = first[trace + 1] as number;
    const unsure = seamed?.[trace] === 1;
    let isChosen = unsure;
    for (let at = from; at < to && !isChosen; at++) {
      isChosen = flags[order === undefined ? at : (order[at] as number)] === 1;
    }
    if (!isChosen) continue;
    for (let at = from; at < to; at++) {
      const row = order === undefined ? at : (order[at] as number);
      if (hasParent(parents, row)) continue;
      roots[count++] = row;
      if (!unsure) break;
    }
  }
  const list = roots.slice(0, count);
  return new RowSet(order === undefined ? list : list.sort(), batch.rows);
}

function hasParent(parents: Uint8Array, row: number): boolean {
  for (let at = 8 * row; at < 8 * row + 8; at++) if (parents[at] !== 0) return true;
  return false;
}
