import type { Field } from '@vivace/traceql';
import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import { isDuration } from './buckets.ts';
import type { Budget } from './budget.ts';
import { type Groups, rowGroups } from './groups.ts';
import type { Intervals, Marks } from './intervals.ts';
import type { Metric, Place } from './metric.ts';
import { ExtremeCells, type NumberCells, SumCells } from './number-cells.ts';
import { FLOAT, NO_NUMBER, numberOfValue, numbersOf } from './numbers.ts';
import type { RawSeries } from './raw-series.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

const SETTLE_EVERY = 1 << 20;

/** `min_over_time()`, `max_over_time()`, `avg_over_time()` and `sum_over_time()`. */
export class NumberMetric implements Metric {
  readonly #groups: Groups;
  readonly #field: Field;
  readonly #intervals: Intervals;
  readonly #cells: NumberCells;
  /** Single spans that were added. */
  #unsettled = 0;

  constructor(
    groups: Groups,
    field: Field,
    name: `${'min' | 'max' | 'avg' | 'sum'}_over_time`,
    intervals: Intervals,
    budget: Budget,
  ) {
    this.#groups = groups;
    this.#field = field;
    this.#intervals = intervals;
    this.#cells =
      name === 'min_over_time' || name === 'max_over_time'
        ? new ExtremeCells(name === 'max_over_time', budget)
        : new SumCells(name === 'avg_over_time', budget);
  }

  addRows(source: BatchRows, marks: Marks): void {
    const { types, high, low } = numbersOf(source, this.#field, marks);
    const { codes, table, groupsOf } = rowGroups(this.#groups, source, marks);
    const { count } = this.#intervals;
    const cells = this.#cells;
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      const interval = of[row] as number;
      if (interval < 0) continue;
      const type = types[row] as number;
      if (type === NO_NUMBER) {
        of[row] = -1;
        continue;
      }
      const group = table[(codes[row] as number) + 1] as number;
      const isFloat = type === FLOAT;
      if (group >= 0) cells.add(group * count + interval, isFloat, high[row] as number, low[row] as number);
      else this.#add(groupsOf(codes[row] as number), interval, isFloat, high[row] as number, low[row] as number);
    }
    cells.settle();
  }

  addSpan(trace: TraceRows, span: number, interval: number): boolean {
    const { type, high, low } = numberOfValue(trace.value(span, this.#field));
    if (type === NO_NUMBER) return false;
    this.#add(this.#groups.ofSpan(trace, span), interval, type === FLOAT, high, low);
    if (++this.#unsettled === SETTLE_EVERY) {
      this.#cells.settle();
      this.#unsettled = 0;
    }
    return true;
  }

  #add(groups: readonly number[], interval: number, isFloat: boolean, high: number, low: number): void {
    const { count } = this.#intervals;
    this.#cells.grow(this.#groups.labels.length * count);
    for (const group of groups) this.#cells.add(group * count + interval, isFloat, high, low);
  }

  placeOf(trace: TraceRows, span: number): Place {
    const [group] = this.#groups.ofSpan(trace, span);
    const { high, low, type } = numberOfValue(trace.value(span, this.#field));
    const number = type === FLOAT ? high : high * 4294967296 + low;
    return {
      series: [this.#groups.labels[group as number] as Label[]],
      value: isDuration(this.#field) ? number / 1e9 : number,
    };
  }

  series(): RawSeries[] {
    const { count } = this.#intervals;
    const unit = isDuration(this.#field) ? 1e9 : 1;
    return this.#groups.labels.map((labels, group) => ({
      labels,
      read: () => {
        const values = new Float64Array(count);
        const present = new Uint8Array(count);
        for (let interval = 0; interval < count; interval++) {
          const value = this.#cells.valueAt(group * count + interval, unit);
          if (value === undefined) continue;
          values[interval] = value;
          present[interval] = 1;
        }
        return { values, present };
      },
    }));
  }
}
