import type { FieldExpression } from '@vivace/traceql';
import { BatchRows } from '../batch-rows.ts';
import { fieldsIn } from '../conjunction.ts';
import { dependsOnTrace } from '../literal-comparison.ts';
import { type Filter, needsOf } from '../needs.ts';
import { mayHold } from '../prune.ts';
import { everyRow, maskOf, type RowList } from '../row-list.ts';
import { findSeams } from '../seams.ts';
import type { RunOptions } from '../search.ts';
import type { Source } from '../source.ts';
import { failureOf } from '../source-failure.ts';
import { selectRows } from '../span-scan.ts';
import { isOfResources, rowsOfResources } from './resource-rows.ts';
import { RowSet } from './row-set.ts';

/** A batch of which some row matches. */
export interface MatchedBatch {
  rows: BatchRows;
  chosen: RowSet;
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
  const ofResources = condition !== undefined && isOfResources(condition);
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
        const chosen =
          ofResources && source.immutable
            ? rowsOfResources(rows, condition)
            : matchedRows(rows, condition, unsure ? seamed : undefined);
        if (chosen.isEmpty && !(byTrace && seamed !== undefined)) continue;
        if (!(await visitor.visit({ rows, chosen, seamed }))) break;
        await breathe();
      }
    } catch (error) {
      throw signal.aborted ? error : failureOf(source.id, error);
    }
  }
  return inspected;
}

/** The rows that match; of traces that other sources have parts of, where these may decide, those that may. */
function matchedRows(rows: BatchRows, condition: FieldExpression | undefined, unsure: Uint8Array | undefined): RowSet {
  const found = selectRows(rows, condition, 'exact');
  const list = unsure === undefined ? found : whereSure(found, selectRows(rows, condition, 'possible'), rows, unsure);
  return new RowSet(liveOf(list, rows), rows.batch.rows);
}

/** What was found, but in seamed traces what is possible. */
function whereSure(found: RowList, possible: RowList, rows: BatchRows, seamed: Uint8Array): Int32Array {
  const traces = rows.traceOfRow();
  const sure = maskOf(found, traces.length);
  const all = maskOf(possible, traces.length);
  return everyRow(traces.length).filter((row) => (seamed[traces[row] as number] === 1 ? all : sure)[row] === 1);
}

/** Rows without those that are dead, of which conditions say nothing. */
function liveOf(list: RowList, { batch }: BatchRows): RowList {
  const order = batch.order();
  const live = batch.traceFirst()[batch.traceCount] as number;
  if (order === undefined || live === batch.rows) return list;
  const flags = maskOf(order.subarray(0, live), batch.rows);
  return (list ?? everyRow(batch.rows)).filter((row) => flags[row] === 1);
}
