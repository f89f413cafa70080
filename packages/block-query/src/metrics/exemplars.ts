import { bytesToHex } from '@vivace/kernel';
import type { Field } from '@vivace/traceql';
import type { Exemplar, Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import { traceRowsOf } from '../column-flags.ts';
import type { TraceRows } from '../trace-rows.ts';
import type { Intervals, Marks } from './intervals.ts';
import type { Metric, Place } from './metric.ts';

/** An exemplar and where it belongs. */
export interface PlacedExemplar {
  place: Place;
  interval: number;
  exemplar: Exemplar;
}

/** A span that may be one. */
interface Candidate {
  /** Hex. */
  traceId: string;
  startUnixNano: bigint;
  interval: number;
  placed: Omit<PlacedExemplar, 'interval'>;
}

const MOST_IN_SLOT = 2;
/** More than are shown, because a trace that is in several slots is shown in one. */
const KEPT_IN_SLOT = 4;

/**
 * Chooses spans to show beside the series. The range is divided into slots of time, so that exemplars do not gather at
 * its end; each has the newest spans that count there, of different traces. Which they are depends on the spans only,
 * not on the order in which they come.
 */
export class Exemplars {
  readonly #limit: number;
  readonly #metric: Metric;
  readonly #fields: readonly Field[];
  /** By slot, newest first, each of another trace. */
  readonly #slots: Candidate[][];
  readonly #slotOf: Int32Array;

  /** @param fields Shown as labels, where they have a value. */
  constructor(limit: number, metric: Metric, fields: readonly Field[], intervals: Intervals) {
    this.#limit = limit;
    this.#metric = metric;
    this.#fields = fields;
    const slots = Math.max(1, Math.min(intervals.count, Math.floor(limit / MOST_IN_SLOT)));
    this.#slots = Array.from({ length: slots }, () => []);
    this.#slotOf = Int32Array.from({ length: intervals.count }, (_, interval) =>
      Math.floor((interval * slots) / intervals.count),
    );
  }

  /** Looks at rows that count: those that are marked. */
  addRows(source: BatchRows, marks: Marks): void {
    const newest = new NewestRows(source, this.#slotOf, this.#slots);
    newest.addAll(marks);
    for (const row of newest.rows()) {
      const trace = traceRowsOf(source, newest.traceOf(row));
      this.addSpan(trace, trace.rows.indexOf(row), marks.of[row] as number);
    }
  }

  addSpan(trace: TraceRows, span: number, interval: number): void {
    const kept = this.#slots[this.#slotOf[interval] as number] as Candidate[];
    const startUnixNano = trace.source(span).startOf(trace.row(span));
    const last = kept.at(-1);
    if (kept.length === KEPT_IN_SLOT && last !== undefined && startUnixNano < last.startUnixNano) return;
    const traceId = bytesToHex(trace.traceId());
    const same = kept.findIndex((other) => other.traceId === traceId);
    if (same >= 0) {
      if ((kept[same] as Candidate).startUnixNano >= startUnixNano) return;
      kept.splice(same, 1);
    }
    const place = this.#metric.placeOf(trace, span);
    if (place === undefined) return;
    const exemplar: Exemplar = {
      labels: [{ key: 'trace:id', value: { type: 'string', value: traceId } }, ...this.#labelsOf(trace, span)],
      value: place.value ?? 0,
      timestampMs: Number(startUnixNano / 1_000_000n),
    };
    kept.push({ traceId, startUnixNano, interval, placed: { place, exemplar } });
    kept.sort(compareCandidates);
    if (kept.length > KEPT_IN_SLOT) kept.pop();
  }

  #labelsOf(trace: TraceRows, span: number): Label[] {
    const labels = new Map<string, Label>();
    for (const field of this.#fields) {
      const value = trace.value(span, field);
      if (value.type !== 'nil') labels.set(field.text, { key: field.text, value });
    }
    return [...labels.values()];
  }

  /** Newest first. */
  chosen(): PlacedExemplar[] {
    const chosen: PlacedExemplar[] = [];
    const shown = new Set<string>();
    const left = this.#slots.map(() => MOST_IN_SLOT);
    for (const { traceId, interval, placed } of this.#slots.flat().sort(compareCandidates)) {
      const slot = this.#slotOf[interval] as number;
      if (chosen.length === this.#limit || left[slot] === 0 || shown.has(traceId)) continue;
      left[slot] = (left[slot] as number) - 1;
      shown.add(traceId);
      chosen.push({ ...placed, interval });
    }
    return chosen;
  }
}

/** The newest rows of each slot, of different traces: looked at closer when all rows of the batch are known. */
class NewestRows {
  readonly #source: BatchRows;
  readonly #slotOf: Int32Array;
  readonly #start: Uint32Array;
  /** By slot, newest first. */
  readonly #rows: number[][];
  /** By interval: rows that start before are not wanted. */
  readonly #boundLow: Uint32Array;
  readonly #boundHigh: Uint32Array;

  constructor(source: BatchRows, slotOf: Int32Array, kept: readonly (readonly Candidate[])[]) {
    this.#source = source;
    this.#slotOf = slotOf;
    this.#start = source.batch.start();
    this.#rows = kept.map(() => []);
    this.#boundLow = new Uint32Array(slotOf.length);
    this.#boundHigh = new Uint32Array(slotOf.length);
    for (const [slot, candidates] of kept.entries()) {
      if (candidates.length < KEPT_IN_SLOT) continue;
      const { startUnixNano } = candidates.at(-1) as Candidate;
      this.#bound(slot, Number(startUnixNano & 0xffffffffn), Number(startUnixNano >> 32n));
    }
  }

  rows(): number[] {
    return this.#rows.flat();
  }

  /** The trace of a row. */
  traceOf(row: number): number {
    const { batch } = this.#source;
    if (batch.order() !== undefined) return this.#source.traceOfRow()[row] as number;
    const first = batch.traceFirst();
    let low = 0;
    let high = batch.traceCount - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((first[middle] as number) <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  addAll(marks: Marks): void {
    const { batch } = this.#source;
    const { of, rows: list } = marks;
    if (list === undefined && batch.order() === undefined) {
      const first = batch.traceFirst();
      for (let trace = 0; trace < batch.traceCount; trace++) {
        const from = first[trace] as number;
        const to = first[trace + 1] as number;
        if (this.#mayHaveNew(from, to, of)) for (let row = from; row < to; row++) this.#addMarked(row, of);
      }
      return;
    }
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) this.#addMarked(list === undefined ? i : (list[i] as number), of);
  }

  /** Spans of a trace lie by their starts: where its last is too old for the interval that all are in, all are. */
  #mayHaveNew(from: number, to: number, of: Int32Array): boolean {
    if (from === to) return false;
    const interval = of[to - 1] as number;
    return interval < 0 || of[from] !== interval || this.#isWanted(to - 1, interval);
  }

  #addMarked(row: number, of: Int32Array): void {
    const interval = of[row] as number;
    if (interval >= 0 && this.#isWanted(row, interval)) this.#add(row, this.#slotOf[interval] as number);
  }

  #isWanted(row: number, interval: number): boolean {
    const high = this.#start[2 * row + 1] as number;
    const least = this.#boundHigh[interval] as number;
    return high > least || (high === least && (this.#start[2 * row] as number) >= (this.#boundLow[interval] as number));
  }

  #add(row: number, slot: number): void {
    const rows = this.#rows[slot] as number[];
    const trace = this.traceOf(row);
    const same = rows.findIndex((other) => this.traceOf(other) === trace);
    if (same >= 0) {
      if (!this.#isNewer(row, rows[same] as number)) return;
      rows.splice(same, 1);
    }
    let at = rows.length;
    while (at > 0 && this.#isNewer(row, rows[at - 1] as number)) at--;
    rows.splice(at, 0, row);
    if (rows.length <= KEPT_IN_SLOT) return;
    // Traces that start at the same time are told apart by their ids, further down.
    const last = rows[KEPT_IN_SLOT - 1] as number;
    while (rows.length > KEPT_IN_SLOT && this.#isNewer(last, rows.at(-1) as number)) rows.pop();
    if (rows.length > MOST_EQUAL) rows.length = MOST_EQUAL;
    this.#bound(slot, this.#start[2 * last] as number, this.#start[2 * last + 1] as number);
  }

  #isNewer(a: number, b: number): boolean {
    const start = this.#start;
    const difference = (start[2 * a + 1] as number) - (start[2 * b + 1] as number);
    return difference > 0 || (difference === 0 && (start[2 * a] as number) > (start[2 * b] as number));
  }

  #bound(slot: number, low: number, high: number): void {
    for (let interval = 0; interval < this.#slotOf.length; interval++) {
      if (this.#slotOf[interval] !== slot) continue;
      this.#boundLow[interval] = low;
      this.#boundHigh[interval] = high;
    }
  }
}

/** Of so many traces that start in the same nanosecond not all are looked at. */
const MOST_EQUAL = 64;

function compareCandidates(a: Candidate, b: Candidate): number {
  if (a.startUnixNano !== b.startUnixNano) return a.startUnixNano > b.startUnixNano ? -1 : 1;
  return a.traceId < b.traceId ? -1 : a.traceId > b.traceId ? 1 : 0;
}
