import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import type { Budget } from './budget.ts';
import { Counters } from './counters.ts';
import { type Groups, rowGroups } from './groups.ts';
import type { Intervals, Marks } from './intervals.ts';
import type { Metric, Place } from './metric.ts';
import type { RawSeries } from './raw-series.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/** `rate()` and `count_over_time()`: spans by group and interval. */
export class CountMetric implements Metric {
  readonly #groups: Groups;
  readonly #intervals: Intervals;
  readonly #counters: Counters;
  readonly #divisor: number;

  constructor(groups: Groups, intervals: Intervals, budget: Budget, name: 'rate' | 'count_over_time') {
    this.#groups = groups;
    this.#intervals = intervals;
    this.#counters = new Counters(intervals.count, budget);
    this.#divisor = name === 'rate' ? Number(intervals.step) / 1e9 : 1;
  }

  addRows(source: BatchRows, marks: Marks): void {
    const { codes, table, groupsOf } = rowGroups(this.#groups, source, marks);
    const { count } = this.#intervals;
    let { counts } = this.#counters;
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      const interval = of[row] as number;
      if (interval < 0) continue;
      const group = table[(codes[row] as number) + 1] as number;
      if (group >= 0) {
        const at = group * count + interval;
        counts[at] = (counts[at] as number) + 1;
      } else {
        this.#add(groupsOf(codes[row] as number), interval);
        ({ counts } = this.#counters);
      }
    }
  }

  addSpan(trace: TraceRows, span: number, interval: number): boolean {
    this.#add(this.#groups.ofSpan(trace, span), interval);
    return true;
  }

  #add(groups: readonly number[], interval: number): void {
    while (this.#counters.rows < this.#groups.labels.length) this.#counters.add();
    const { counts } = this.#counters;
    for (const group of groups) {
      const at = group * this.#intervals.count + interval;
      counts[at] = (counts[at] as number) + 1;
    }
  }

  placeOf(trace: TraceRows, span: number): Place {
    const [group] = this.#groups.ofSpan(trace, span);
    return { series: [this.#groups.labels[group as number] as Label[]], value: undefined };
  }

  series(): RawSeries[] {
    const { count } = this.#intervals;
    const { counts } = this.#counters;
    return this.#groups.labels.map((labels, group) => ({
      labels,
      read: () => {
        const values = new Float64Array(counts.subarray(group * count, (group + 1) * count));
        for (let interval = 0; interval < count; interval++) {
          values[interval] = (values[interval] as number) / this.#divisor;
        }
        return { values, present: undefined };
      },
    }));
  }
}
