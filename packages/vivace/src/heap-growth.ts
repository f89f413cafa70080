import { setFlagsFromString } from 'node:v8';
import type { BlockMerger } from '@vivace/compactor';

// What it is worth, and what it costs a merge: docs/decisions/0025-collecting-seldom.md.

/** Percent; 0: as V8 thinks best. */
const SELDOM = '--heap-growing-percent=300';
const OFTEN = '--heap-growing-percent=0';

let wanted = false;
let merging = 0;

/**
 * Lets the heap of each thread grow to four times what a collection has left before the next, which is the most that V8
 * itself lets a heap grow. Threads that take spans in and cut them hold little on the heap, and pass much through buffers
 * beside it that count towards it: V8 takes that for pressure, and marks the whole heap for every few megabytes.
 */
export function collectSeldom(): void {
  wanted = true;
  apply();
}

/** While it merges, V8 collects when it thinks best: the memory of merges is to be small. */
export function collectingOften(merger: BlockMerger): BlockMerger {
  return {
    ...merger,
    merge: async (...task) => {
      merging++;
      apply();
      try {
        return await merger.merge(...task);
      } finally {
        merging--;
        apply();
      }
    },
  };
}

function apply(): void {
  if (wanted) setFlagsFromString(merging > 0 ? OFTEN : SELDOM);
}
