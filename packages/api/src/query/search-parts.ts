import type { QueryStats, TraceMatch, WrittenTraces } from '@vivace/block-query';
import type { SearchPart } from '../query-engine.ts';
import { NOTHING_READ } from './nothing-read.ts';

/** A search to its end. */
export interface WholeSearch {
  traces: TraceMatch[];
  /** In place of traces. */
  written?: WrittenTraces | undefined;
  stats: QueryStats;
  cursor: string | undefined;
  problems: string[];
}

/** Puts the parts of a search together; stops between parts when `signal` is aborted. */
export async function gatherSearch(parts: AsyncIterable<SearchPart>, signal: AbortSignal): Promise<WholeSearch> {
  const traces: TraceMatch[] = [];
  let written: WrittenTraces | undefined;
  let last: SearchPart | undefined;
  for await (const part of parts) {
    signal.throwIfAborted();
    for (const trace of part.traces) traces.push(trace);
    written = part.written ?? written;
    last = part;
  }
  signal.throwIfAborted();
  return {
    traces,
    written,
    stats: last?.stats ?? NOTHING_READ,
    cursor: last?.cursor,
    problems: last?.problems ?? [],
  };
}
