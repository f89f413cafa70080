import { compareBytes } from '@vivace/kernel';
import type { Batch } from './batch.ts';
import type { Source } from './source.ts';

interface KnownOrders {
  /** Start of each trace, two halves. */
  starts: Uint32Array;
  /** All traces in the order of answers. */
  order: Int32Array | undefined;
}

/** Orders stay as long as the decoded column of starts that they were made of. */
const orders = new WeakMap<Uint32Array, KnownOrders>();

/** Start of each trace of a batch that has its starts prepared, two halves, the low one first. */
export function startsOf(source: Source, batch: Batch): Uint32Array {
  return ordersIn(source, batch).starts;
}

/** Of a batch that has its starts prepared, and its ids where an order is asked for. */
export function ordersIn({ immutable }: Source, batch: Batch): KnownOrders {
  return immutable ? knownOrders(batch) : ordersOf(batch);
}

function knownOrders(batch: Batch): KnownOrders {
  const start = batch.start();
  let known = orders.get(start);
  if (known === undefined) orders.set(start, (known = ordersOf(batch)));
  return known;
}

function ordersOf(batch: Batch): KnownOrders {
  const start = batch.start();
  const first = batch.traceFirst();
  const order = batch.order();
  const starts = new Uint32Array(2 * batch.traceCount);
  for (let trace = 0; trace < batch.traceCount; trace++) {
    const at = first[trace] as number;
    // A trace of a head may have no rows that count.
    if (at === first[trace + 1]) continue;
    const row = order === undefined ? at : (order[at] as number);
    starts[2 * trace] = start[2 * row] as number;
    starts[2 * trace + 1] = start[2 * row + 1] as number;
  }
  return { starts, order: undefined };
}

/** The traces of a batch, or some of them, in the order of answers. */
export function sortedTraces(batch: Batch, starts: Uint32Array, traces?: Int32Array): Int32Array {
  const ids = batch.traceIds();
  const sorted = traces?.slice() ?? Int32Array.from({ length: batch.traceCount }, (_, trace) => trace);
  return sorted.sort(
    (a, b) =>
      (starts[2 * b + 1] as number) - (starts[2 * a + 1] as number) ||
      (starts[2 * b] as number) - (starts[2 * a] as number) ||
      compareBytes(ids.subarray(16 * a, 16 * a + 16), ids.subarray(16 * b, 16 * b + 16)),
  );
}
