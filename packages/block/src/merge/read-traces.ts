import type { ColumnSetView } from '@vivace/columns';
import { freeMemory } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { DEFAULT_ROW_GROUP_ROWS } from '../layout.ts';
import { columnSetOf } from '../row-set.ts';
import type { ColumnNeeds } from '../scan/run-columns.ts';
import { Buffers } from './buffers.ts';
import { dropResends } from './drop-resends.ts';
import { gatherSet, type SetColumns } from './gather-set.ts';
import { type InputOptions, type OpenInputs, openInputs, releaseInputs } from './open-inputs.ts';
import { orderRows, tracesOf } from './order-rows.ts';
import { planColumns, storedAttributes } from './plan-columns.ts';
import { readKeys, setKeys } from './row-keys.ts';
import { freeWindows, loadRows, loadSegment, type Segment } from './segment.ts';
import { TraceRun } from './trace-run.ts';
import { TraceStream } from './trace-stream.ts';
import { wantedColumns } from './wanted-columns.ts';

export interface ReadTracesOptions extends InputOptions {
  /** Columns of the sets, together. Undefined: no spans are read, only whose they are. */
  needs?: readonly ColumnNeeds[] | undefined;
  /** Spans of a set, about: a set holds whole traces, and of a larger trace a part, or all where it must be whole. */
  setRows?: number;
  /** A trace of more spans comes as a whole: what it takes grows with them. Default false. */
  wholeTraces?: boolean;
}

/** Some traces, as they are in all blocks together. */
export interface TraceBatch {
  /** How many traces come before the first of them, as `MergeOptions.route` is told. */
  first: number;
  count: number;
  /** Calls back for every block that has spans of trace `first + t`, by its number. */
  eachInput: (t: number, visit: (input: number) => void) => void;
  /** Spans in canonical order, each once; other columns than those needed are empty or zero. Good until the next batch. */
  set: ColumnSetView | undefined;
  /** First row of each trace in the set, and at the end the number of rows. */
  traceFirst: Int32Array;
  /** False: the next batch has more of the same trace. */
  isLast: boolean;
}

/**
 * Reads the traces of several blocks, joined as `mergeBlocks` joins them, in the order of their ids. A trace larger than a
 * set comes in several batches of one trace unless traces must be whole. Takes memory for a set and for a row group of each
 * input, not for blocks. Rejects as `mergeBlocks` does, and with what `visit` rejects with.
 */
export async function readTraces(
  options: ReadTracesOptions,
  visit: (batch: TraceBatch) => Promise<void>,
): Promise<void> {
  const { needs, setRows = DEFAULT_ROW_GROUP_ROWS, signal } = options;
  const opened = await openInputs(options, wantedColumns(needs));
  const reader = needs === undefined ? undefined : new SetReader(opened, options, needs);
  const traces = await TraceStream.open(opened.blocks);
  const next = new TraceRun();
  for (;;) {
    signal?.throwIfAborted();
    const first = traces.number;
    next.clear();
    while (traces.id !== undefined && (next.rows === 0 || next.rows + traces.spans <= setRows)) await traces.take(next);
    if (next.traceCount === 0) break;
    const batch = { first, count: next.traceCount, eachInput: inputsOf(next) };
    if (reader === undefined) {
      traces.leave();
      await visit({ ...batch, set: undefined, traceFirst: new Int32Array(0), isLast: true });
    } else await reader.read(await loadSegment(opened.blocks, next, setRows), (part) => visit({ ...batch, ...part }));
  }
  reader?.end();
  releaseInputs(opened);
}

function inputsOf({ firstPart, input }: TraceRun): TraceBatch['eachInput'] {
  return (t, visit) => {
    for (let part = firstPart[t] as number; part < (firstPart[t + 1] as number); part++) visit(input[part] as number);
  };
}

type VisitSet = (part: Pick<TraceBatch, 'set' | 'traceFirst' | 'isLast'>) => Promise<void>;

/** Makes sets of segments. */
class SetReader {
  readonly #opened: OpenInputs;
  readonly #options: ReadTracesOptions;
  readonly #columns: SetColumns;
  readonly #wanted: SetColumns;
  readonly #buffers = new Buffers();
  readonly #passing = new Buffers();

  constructor(opened: OpenInputs, options: ReadTracesOptions, needs: readonly ColumnNeeds[]) {
    this.#opened = opened;
    this.#options = options;
    const spans = planColumns(opened.blocks, 'spans', 1);
    const events = planColumns(opened.blocks, 'events', 1);
    this.#columns = storedAttributes(spans, events);
    const { fields, ...tables } = wantedColumns(needs);
    const ofKeys = (keys: ReadonlySet<string>) => (attribute: TableAttribute) => keys.has(attribute.key);
    this.#wanted = {
      fields,
      spans: this.#columns.spans.filter(ofKeys(tables.spans.keys)),
      events: this.#columns.events.filter(ofKeys(tables.events.keys)),
    };
  }

  async read(segment: Segment, visit: VisitSet): Promise<void> {
    const { seed = 0, wholeTraces = false } = this.#options;
    const buffers = this.#buffers;
    if (segment.isLarge) {
      // What comes after a large trace was read to find its end, and is read again.
      releaseInputs(this.#opened);
      buffers.trim(0);
      this.#passing.trim(0);
    }
    const places = { buffers, passing: this.#passing };
    const keys = await readKeys(segment, places);
    const ordered = orderRows(segment, keys, buffers);
    const resends = { columns: this.#columns, wanted: this.#wanted, buffers, seed };
    const { order, traceFirst } = await dropResends(segment, keys, ordered, resends);
    const ofSets = setKeys(segment, keys, places);
    const { ids, traceCount } = segment.traces;
    const traceIds = ids.subarray(0, 16 * traceCount);
    const step = wholeTraces ? order.length : segment.groupRows;
    for (let from = 0; from < order.length; from += step) {
      const to = Math.min(order.length, from + step);
      const windows = await loadRows(segment, order, from, to);
      const trace = tracesOf(traceFirst, from, to);
      const rows = { windows, keys: ofSets, order, from, to, traceIds, trace };
      const set = columnSetOf(gatherSet(rows, this.#wanted, buffers, seed));
      const isLast = to === order.length;
      await visit({ set, traceFirst: segment.isLarge ? Int32Array.of(0, to - from) : traceFirst, isLast });
      freeMemory(trace);
      freeWindows(windows);
    }
    buffers.trim(MAX_KEPT_BYTES);
    this.#passing.trim(MAX_KEPT_BYTES);
    for (const { input, group, to } of segment.windows) input.release(group, to);
  }

  end(): void {
    this.#buffers.trim(0);
    this.#passing.trim(0);
  }
}

/** Arrays that are larger are not kept for the next set. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
