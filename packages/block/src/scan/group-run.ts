import { equalBytes } from '@vivace/kernel';
import type { BlockIndex } from '../block-index.ts';

/** Row groups `first … end - 1` of a block, which hold whole traces. */
export interface GroupRun {
  first: number;
  end: number;
}

/** The row groups of a block as runs: one each, but all of a trace that is larger than a group together. */
export function batchesOf({ traceGroups }: Pick<BlockIndex, 'traceGroups'>): GroupRun[] {
  const runs: GroupRun[] = [];
  let before: Uint8Array | undefined;
  for (const [group, { firstTraceId }] of traceGroups.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && before !== undefined && equalBytes(before, firstTraceId)) last.end = group + 1;
    else runs.push({ first: group, end: group + 1 });
    before = firstTraceId;
  }
  return runs;
}
