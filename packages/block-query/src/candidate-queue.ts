import { compareBytes } from '@vivace/kernel';
import type { SelectedBatch } from './select-traces.ts';
import { ordersIn, sortedTraces } from './trace-orders.ts';
import type { TraceRows } from './trace-rows.ts';

/** A trace that may match: of one batch, or merged of several. */
export interface Candidate {
  batch: SelectedBatch | undefined;
  trace: number;
  merged: TraceRows | undefined;
}

/** Traces in the order of answers: newest start first, then by id. */
interface Lane {
  hasEnded(): boolean;
  /** The trace that is next; undefined at the end. */
  next(): Candidate | undefined;
  step(): void;
  low(): number;
  high(): number;
  id(): Uint8Array;
}

/**
 * Candidates of all batches in the order of answers. The starts, and where they are the same the ids, of the batches'
 * traces must have been prepared.
 */
export class CandidateQueue {
  readonly #lanes: Lane[];

  constructor(batches: readonly SelectedBatch[], merged: readonly TraceRows[]) {
    this.#lanes = batches.map((batch) => new BatchLane(batch));
    if (merged.length > 0) this.#lanes.push(new MergedLane(merged));
  }

  take(): Candidate | undefined {
    let best: Lane | undefined;
    for (const lane of this.#lanes) {
      if (!lane.hasEnded() && (best === undefined || isBefore(lane, best))) best = lane;
    }
    const candidate = best?.next();
    best?.step();
    return candidate;
  }
}

function isBefore(a: Lane, b: Lane): boolean {
  const difference = b.high() - a.high() || b.low() - a.low();
  return difference !== 0 ? difference < 0 : compareBytes(a.id(), b.id()) < 0;
}

class BatchLane implements Lane {
  readonly #batch: SelectedBatch;
  /** Traces in order; those that are no candidates may be among them. */
  readonly #order: Int32Array;
  readonly #starts: Uint32Array;
  readonly #wanted: Uint8Array;
  #at = -1;

  constructor(selected: SelectedBatch) {
    const { rows, traces, source } = selected;
    const { batch } = rows;
    this.#batch = selected;
    this.#wanted = new Uint8Array(batch.traceCount);
    for (const trace of traces) this.#wanted[trace] = 1;
    const known = ordersIn(source, batch);
    this.#starts = known.starts;
    // Few are sorted by themselves; of many, the order of all is good for the next search as well.
    const few = known.order === undefined && traces.length < batch.traceCount / FEW;
    this.#order = few ? sortedTraces(batch, known.starts, traces) : (known.order ??= sortedTraces(batch, known.starts));
    this.step();
  }

  hasEnded(): boolean {
    return this.#at >= this.#order.length;
  }

  next(): Candidate | undefined {
    const trace = this.#order[this.#at];
    return trace === undefined ? undefined : { batch: this.#batch, trace, merged: undefined };
  }

  step(): void {
    do this.#at++;
    while (this.#at < this.#order.length && this.#wanted[this.#order[this.#at] as number] !== 1);
  }

  low(): number {
    return this.#starts[2 * (this.#order[this.#at] as number)] as number;
  }

  high(): number {
    return this.#starts[2 * (this.#order[this.#at] as number) + 1] as number;
  }

  id(): Uint8Array {
    const trace = this.#order[this.#at] as number;
    return this.#batch.rows.batch.traceIds().subarray(16 * trace, 16 * trace + 16);
  }
}

/** Below this part of a batch's traces candidates are few. */
const FEW = 8;

class MergedLane implements Lane {
  readonly #traces: TraceRows[];
  #at = 0;

  constructor(merged: readonly TraceRows[]) {
    this.#traces = [...merged].sort((a, b) => {
      const [startA, startB] = [a.start(), b.start()];
      if (startA !== startB) return startA > startB ? -1 : 1;
      return compareBytes(a.traceId(), b.traceId());
    });
  }

  hasEnded(): boolean {
    return this.#at >= this.#traces.length;
  }

  next(): Candidate | undefined {
    const merged = this.#traces[this.#at];
    return merged && { batch: undefined, trace: -1, merged };
  }

  step(): void {
    this.#at++;
  }

  low(): number {
    return Number((this.#traces[this.#at] as TraceRows).start() & 0xffffffffn);
  }

  high(): number {
    return Number((this.#traces[this.#at] as TraceRows).start() >> 32n);
  }

  id(): Uint8Array {
    return (this.#traces[this.#at] as TraceRows).traceId();
  }
}
