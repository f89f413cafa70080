import type { ColumnSetView } from '@vivace/columns';
import { foldInSteps, freeMemory } from '@vivace/kernel';
import type { BlockShape } from './block-shape.ts';
import { mapMemory } from './mapped-memory.ts';

// Hot path: every span looks its parent up in its own trace. Benchmark: `encode-block.bench.ts`.

/** `parent` of a span without one, or with one that is not in the block. */
export const NO_PARENT = -0x80000000;

/** More are in memory that goes back at once. */
const LARGE_SLOTS = 1 << 19;

export interface ParentLinks {
  /** Row of the parent minus own row; NO_PARENT where there is none in the block. */
  delta: Int32Array;
  /** Row in the column set where the parent's id is not in the block, else -1. */
  remote: Int32Array;
  remoteCount: number;
}

/** What rows of a column set are linked by. */
interface LinkedRows {
  set: Pick<ColumnSetView, 'spanId' | 'parentId'>;
}

/**
 * Finds the row of each span's parent, as `ParentLinks.delta`: the first span of the trace with that id. `seed` makes the
 * hash table one that a sender cannot fill with collisions; it does not change the result, which is put into `delta` where
 * that is given.
 */
export function linkParents(
  { set, order, traceCount, traceFirst }: Pick<BlockShape, 'order' | 'traceCount' | 'traceFirst'> & LinkedRows,
  seed: number,
  delta: Int32Array = new Int32Array(order.length),
): Int32Array {
  delta.fill(NO_PARENT, 0, order.length);
  let table = new Int32Array(1 << 12).fill(-1);
  let ready = table.length;
  for (let trace = 0; trace < traceCount; trace++) {
    const first = traceFirst[trace] as number;
    const end = traceFirst[trace + 1] as number;
    // The power of two that is at least twice the spans.
    const slots = 2 << (32 - Math.clz32(end - first - 1));
    if (slots > ready) {
      freeMemory(table);
      table = slots > LARGE_SLOTS ? new Int32Array(mapMemory(4 * slots).buffer) : new Int32Array(slots);
      table.fill(-1, 0, slots);
      ready = slots;
    }
    enter(table, slots - 1, set.spanId, order, first, end, seed);
    find(delta, table, slots - 1, set, order, first, end, seed);
  }
  freeMemory(table);
  return delta;
}

/** Adds the parents that are not in the block. */
export function findRemote({
  set: { parentId },
  order,
  delta,
}: Pick<BlockShape, 'order'> & LinkedRows & Pick<ParentLinks, 'delta'>): ParentLinks {
  const remote = new Int32Array(order.length).fill(-1);
  const remoteCount = foldInSteps(order.length, 0, noteRemote, remote, parentId, order, delta);
  return { delta, remote, remoteCount };
}

/** Notes the rows whose parent is not in the block; returns how many there are by now. */
function noteRemote(
  before: number,
  from: number,
  to: number,
  remote: Int32Array,
  parentId: Int32Array,
  order: Int32Array,
  delta: Int32Array,
): number {
  let count = before;
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    if (delta[i] !== NO_PARENT || (parentId[2 * row] === 0 && parentId[2 * row + 1] === 0)) continue;
    remote[i] = row;
    count++;
  }
  return count;
}

/**
 * Enters the rows `first … end - 1` by their span ids, the first of each. Slots hold rows; those of earlier traces are
 * below `first`, so the table is never cleared.
 */
function enter(
  table: Int32Array,
  mask: number,
  spanId: Int32Array,
  order: Int32Array,
  first: number,
  end: number,
  seed: number,
): void {
  for (let i = first; i < end; i++) {
    const row = order[i] as number;
    const low = spanId[2 * row] as number;
    const high = spanId[2 * row + 1] as number;
    const slot = slotOf(table, mask, spanId, order, first, low, high, seed);
    if ((table[slot] as number) < first) table[slot] = i;
  }
}

/** Looks the parents of the rows `first … end - 1` up among those entered. */
function find(
  delta: Int32Array,
  table: Int32Array,
  mask: number,
  { spanId, parentId }: LinkedRows['set'],
  order: Int32Array,
  first: number,
  end: number,
  seed: number,
): void {
  for (let i = first; i < end; i++) {
    const row = order[i] as number;
    const low = parentId[2 * row] as number;
    const high = parentId[2 * row + 1] as number;
    if (low === 0 && high === 0) continue;
    const other = table[slotOf(table, mask, spanId, order, first, low, high, seed)] as number;
    if (other >= first) delta[i] = other - i;
  }
}

/** Where the row of a span id is, or belongs: the slot then holds none of this trace. */
function slotOf(
  table: Int32Array,
  mask: number,
  spanId: Int32Array,
  order: Int32Array,
  first: number,
  low: number,
  high: number,
  seed: number,
): number {
  let slot = spread(low, high, seed) & mask;
  for (;;) {
    const other = table[slot] as number;
    if (other < first) return slot;
    const row = order[other] as number;
    if (spanId[2 * row] === low && spanId[2 * row + 1] === high) return slot;
    slot = (slot + 1) & mask;
  }
}

function spread(low: number, high: number, seed: number): number {
  let h = Math.imul(low ^ seed, 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 15)) + (high ^ seed), 0x85ebca6b);
  return h ^ (h >>> 15);
}
