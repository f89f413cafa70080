import type { Batch } from './batch.ts';
import { noNeeds } from './needs.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { startsOf } from './trace-orders.ts';

// A search wants few traces, the newest, and most conditions hold of more than one trace in a hundred. So it looks at the
// newest traces alone first, and at all only if these do not fill the page.

export interface NewestOptions {
  /** So many for each trace of the page. */
  tracesAMatch: number;
  least: number;
  /** Only where they are no more than one in so many of all: else looking at them costs as much as looking at all. */
  share: number;
}

export const NEWEST: NewestOptions = { tracesAMatch: 64, least: 2048, share: 10 };

/** What a page is wanted of. */
export interface PageWanted {
  limit: number;
  endUnixNano: bigint | undefined;
  /** The last trace of the page before. */
  after?: { startUnixNano: bigint } | undefined;
}

/** Of so many traces the starts are compared, to find one that is about right. */
const MAX_SAMPLE = 4096;

/**
 * A time such that about as many traces as options say start at it or later, and before the end of the request; undefined
 * where it is not worth while. Starts are prepared after it.
 */
export async function newestStart(
  sources: readonly Source[],
  { limit, endUnixNano, after }: PageWanted,
  { tracesAMatch, least, share }: NewestOptions,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  const wanted = Math.max(least, tracesAMatch * (limit + 1));
  const batches: { batch: Batch; source: Source }[] = [];
  let total = 0;
  for (const source of sources) {
    for (const batch of await atSource(source, signal, () => source.batches(signal))) {
      batches.push({ batch, source });
      total += batch.traceCount;
    }
  }
  if (wanted * share > total) return undefined;
  const needs = noNeeds();
  needs.fields.add('start').add('traceIds');
  const step = Math.ceil(total / MAX_SAMPLE);
  const sample = new Float64Array(Math.ceil(total / step));
  let count = 0;
  let next = 0;
  for (const { batch, source } of batches) {
    await atSource(source, signal, () => batch.prepare(needs, signal));
    const starts = await atSource(source, signal, async () => startsOf(source, batch));
    for (; next < batch.traceCount; next += step) {
      sample[count++] = (starts[2 * next + 1] as number) * 2 ** 32 + (starts[2 * next] as number);
    }
    next -= batch.traceCount;
  }
  sample.sort();
  const newest = sample.subarray(0, count);
  const bound = after === undefined ? endUnixNano : after.startUnixNano;
  let last = count;
  while (last > 0 && bound !== undefined && (newest[last - 1] as number) > Number(bound)) last--;
  const at = last - Math.ceil(wanted / step);
  // Newer ones, that nobody asks for, have to be looked at as well: a trace may begin before them.
  if (at < 0 || (count - at) * share > 2 * count) return undefined;
  return BigInt(newest[at] as number);
}

/** Traces of a batch that start at a time or later. */
export interface BatchWindow {
  /** One byte a trace. */
  flags: Uint8Array;
  /** Their rows, ascending. */
  rows: Int32Array;
}

/** Of a batch whose starts are prepared. */
export function windowOf(source: Source, batch: Batch, since: bigint): BatchWindow {
  const starts = startsOf(source, batch);
  const low = Number(since & 0xffffffffn);
  const high = Number(since >> 32n);
  const first = batch.traceFirst();
  const flags = new Uint8Array(batch.traceCount);
  let count = 0;
  for (let trace = 0; trace < flags.length; trace++) {
    const ownHigh = starts[2 * trace + 1] as number;
    if (ownHigh < high || (ownHigh === high && (starts[2 * trace] as number) < low)) continue;
    flags[trace] = 1;
    count += (first[trace + 1] as number) - (first[trace] as number);
  }
  const order = batch.order();
  const rows = new Int32Array(count);
  let next = 0;
  for (let trace = flags.indexOf(1); trace >= 0; trace = flags.indexOf(1, trace + 1)) {
    const end = first[trace + 1] as number;
    for (let at = first[trace] as number; at < end; at++)
      rows[next++] = order === undefined ? at : (order[at] as number);
  }
  return { flags, rows: order === undefined ? rows : rows.sort() };
}
