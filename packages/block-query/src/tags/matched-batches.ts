import { BatchRows } from '../batch-rows.ts';
import { fieldsIn } from '../conjunction.ts';
import { dependsOnTrace } from '../literal-comparison.ts';
import { type Filter, needsOf } from '../needs.ts';
import { mayHold } from '../prune.ts';
import { findSeams } from '../seams.ts';
import type { RunOptions } from '../search.ts';
import { SourceFailure } from '../select-traces.ts';
import type { Source } from '../source.ts';
import { scanRows } from '../span-scan.ts';
import { RowMask } from './row-mask.ts';

/** A batch of which some row matches. */
export interface MatchedBatch {
  rows: BatchRows;
  mask: RowMask;
  /** The traces that other sources have parts of, one byte a trace; undefined where there are none, or nobody asked. */
  seamed: Uint8Array | undefined;
}

export interface BatchVisitor {
  /** False: nothing is wanted of its rows. */
  wants(source: Source): Promise<boolean>;
  /** False: nothing more is wanted of the source. */
  visit(batch: MatchedBatch): Promise<boolean>;
}

export interface MatchOptions extends RunOptions {
  filter: Filter | undefined;
  /** Seams are looked for, and batches shown also where no row matches: spans of other sources may match for them. */
  byTrace: boolean;
}

/** What was looked at. */
export interface Inspected {
  spans: number;
  traces: number;
}

/**
 * Shows the rows of each source that match a filter; without one, all. Parts of traces are not merged: spans that were
 * sent again to another source are shown in all their versions, and a condition on what is not known of a trace
 * without its other parts holds of all its spans. So every row that matches is shown, and seldom one that does not.
 * Rejects with `SourceFailure` where a source cannot be read.
 */
export async function eachMatchedBatch(
  sources: readonly Source[],
  { filter, byTrace, signal, breathe }: MatchOptions,
  visitor: BatchVisitor,
): Promise<Inspected> {
  const condition = filter?.expression;
  const needs = needsOf(condition === undefined ? [] : fieldsIn(condition));
  const unsure = condition !== undefined && dependsOnTrace(condition);
  const seams = sources.length > 1 && (unsure || byTrace) ? await findSeams(sources, signal) : undefined;
  const inspected: Inspected = { spans: 0, traces: 0 };
  for (const source of sources) {
    signal.throwIfAborted();
    try {
      if (!(await visitor.wants(source))) continue;
      if (!byTrace && !(await mayHold(source, condition, signal))) continue;
      for (const [place, batch] of (await source.batches(signal)).entries()) {
        signal.throwIfAborted();
        inspected.spans += batch.rows;
        inspected.traces += batch.traceCount;
        await batch.prepare(needs, signal);
        const rows = new BatchRows(batch);
        const seamed = seams?.flags(source.id, place);
        const flags = scanRows(rows, condition, 'exact');
        if (unsure && seamed !== undefined) takePossible(flags, scanRows(rows, condition, 'possible'), rows, seamed);
        dropDead(flags, rows);
        const mask = new RowMask(flags);
        if (mask.isEmpty() && !(byTrace && seamed !== undefined)) continue;
        if (!(await visitor.visit({ rows, mask, seamed }))) break;
        await breathe();
      }
    } catch (error) {
      throw signal.aborted ? error : new SourceFailure(source.id, error);
    }
  }
  return inspected;
}

/** In seamed traces, what is possible. */
function takePossible(flags: Uint8Array, possible: Uint8Array, rows: BatchRows, seamed: Uint8Array): void {
  const traces = rows.traceOfRow();
  for (let row = 0; row < flags.length; row++) {
    if (seamed[traces[row] as number] === 1) flags[row] = possible[row] as number;
  }
}

function dropDead(flags: Uint8Array, { batch }: BatchRows): void {
  const order = batch.order();
  if (order === undefined) return;
  const live = batch.traceFirst()[batch.traceCount] as number;
  if (live === batch.rows) return;
  const kept = new Uint8Array(flags.length);
  for (let at = 0; at < live; at++) {
    const row = order[at] as number;
    kept[row] = flags[row] as number;
  }
  flags.set(kept);
}
