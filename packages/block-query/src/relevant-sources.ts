import type { Batch } from './batch.ts';
import { BatchRows } from './batch-rows.ts';
import { fieldsIn } from './conjunction.ts';
import { type Filter, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { mayHold } from './prune.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { selectRows } from './span-scan.ts';

/**
 * Says of each trace which of these sources, told by their ids, may have spans of it: of all others it is certain that
 * they have none. Undefined: nothing is known of them.
 */
export type LocateTraces = (
  traceIds: readonly Uint8Array[],
  sources: readonly string[],
) => Promise<readonly ReadonlySet<string>[] | undefined>;

/** Filters read at the same time: of each a few bytes, of which a bucket takes its time. */
const CONCURRENCY = 32;
/** With more traces than this to look for, the lists of all traces are compared instead. */
const MAX_TRACES = 64;

/**
 * Leaves out the sources that certainly have nothing to do with an answer: those of which, by their filters, no span
 * fulfils any of `filters`, and that have no part of a trace that one in the others might. So a search for one value
 * over many blocks reads their filters, and opens hardly any. Where too many traces come into question, all sources
 * are relevant.
 */
export async function relevantSources(
  sources: readonly Source[],
  filters: readonly Filter[],
  { signal, locate }: { signal: AbortSignal; locate?: LocateTraces | undefined },
): Promise<readonly Source[]> {
  if (filters.length === 0) return sources;
  const relevant = new Set<Source>();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let source = sources[next++]; source !== undefined; source = sources[next++]) {
      signal.throwIfAborted();
      const asked = source;
      await atSource(asked, signal, async () => {
        for (const { expression } of filters) {
          if (await mayHold(asked, expression, signal)) return void relevant.add(asked);
        }
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, sources.length) }, lane));
  const others = sources.filter((source) => !relevant.has(source));
  if (others.length === 0) return sources;
  const traces = await possibleTraces([...relevant], filters, signal);
  if (traces === undefined) return sources;
  const ids = others.map(({ id }) => id);
  const located = traces.length === 0 ? undefined : await locate?.(traces, ids);
  for (const [i, traceId] of traces.entries()) {
    for (const source of others) {
      if (relevant.has(source) || located?.[i]?.has(source.id) === false) continue;
      if (await atSource(source, signal, () => source.listsTrace(traceId, signal))) relevant.add(source);
    }
  }
  return sources.filter((source) => relevant.has(source));
}

/** Ids of the traces with a row that may fulfil a filter, whatever other sources have of them; undefined: many. */
async function possibleTraces(
  sources: readonly Source[],
  filters: readonly Filter[],
  signal: AbortSignal,
): Promise<Uint8Array[] | undefined> {
  const scanNeeds = needsOf(
    filters.flatMap(({ expression }) => (expression === undefined ? [] : fieldsIn(expression))),
  );
  const idNeeds = noNeeds();
  idNeeds.fields.add('traceIds');
  const found: Uint8Array[] = [];
  for (const source of sources) {
    const isFew = await atSource(source, signal, async () => {
      for (const batch of await source.batches(signal)) {
        signal.throwIfAborted();
        await batch.prepare(scanNeeds, signal);
        const numbers = tracesOf(batch, filters, MAX_TRACES - found.length);
        if (numbers === undefined) return false;
        if (numbers.size === 0) continue;
        await batch.prepare(joinNeeds(scanNeeds, idNeeds), signal);
        const ids = batch.traceIds();
        for (const trace of numbers) found.push(ids.slice(16 * trace, 16 * trace + 16));
      }
      return true;
    });
    if (!isFew) return undefined;
  }
  return found;
}

function tracesOf(batch: Batch, filters: readonly Filter[], most: number): Set<number> | undefined {
  const rows = new BatchRows(batch);
  const traces = new Set<number>();
  for (const { expression } of filters) {
    const possible = selectRows(rows, expression, 'possible');
    if (possible === undefined) return undefined;
    if (possible.length === 0) continue;
    const of = rows.traceOfRow();
    for (const row of possible) {
      const trace = of[row] as number;
      if (trace >= 0) traces.add(trace);
      if (traces.size > most) return undefined;
    }
  }
  return traces;
}
