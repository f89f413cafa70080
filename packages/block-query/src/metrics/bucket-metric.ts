import type { Field } from '@vivace/traceql';
import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import { boundOf, exponentOf, exponentsOf, isDuration, MAX_EXPONENT } from './buckets.ts';
import type { Budget } from './budget.ts';
import { Counters } from './counters.ts';
import { type Groups, rowGroups } from './groups.ts';
import type { Intervals, Marks } from './intervals.ts';
import type { Metric, Place } from './metric.ts';
import type { RawSeries } from './raw-series.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

const SLOTS = MAX_EXPONENT + 1;

/** What the labels of a series take, roughly, which it shares with others but for one. */
const SERIES_BYTES = 200;

/** `histogram_over_time()` and `quantile_over_time()`: spans by group, bucket and interval. */
export class BucketMetric implements Metric {
  readonly #groups: Groups;
  readonly #field: Field;
  readonly #quantiles: readonly number[] | undefined;
  readonly #intervals: Intervals;
  readonly #counters: Counters;
  readonly #budget: Budget;
  /** SLOTS a group: 1 + the row of counters of a bucket, 0 where there is none yet. */
  #slots = new Int32Array(0);

  /** @param quantiles Undefined: a histogram. */
  constructor(
    groups: Groups,
    field: Field,
    quantiles: readonly number[] | undefined,
    intervals: Intervals,
    budget: Budget,
  ) {
    this.#groups = groups;
    this.#field = field;
    this.#quantiles = quantiles;
    this.#intervals = intervals;
    this.#budget = budget;
    this.#counters = new Counters(intervals.count, budget);
  }

  addRows(source: BatchRows, marks: Marks): void {
    const exponents = exponentsOf(source, this.#field, marks);
    const { codes, table, groupsOf } = rowGroups(this.#groups, source, marks);
    const { count } = this.#intervals;
    let { counts } = this.#counters;
    let slots = this.#slots;
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      const interval = of[row] as number;
      if (interval < 0) continue;
      const exponent = exponents[row] as number;
      if (exponent === 0) {
        of[row] = -1;
        continue;
      }
      const group = table[(codes[row] as number) + 1] as number;
      const slot = group < 0 ? 0 : (slots[group * SLOTS + exponent] as number);
      if (slot > 0) {
        const at = (slot - 1) * count + interval;
        counts[at] = (counts[at] as number) + 1;
      } else {
        this.#add(group < 0 ? groupsOf(codes[row] as number) : [group], exponent, interval);
        ({ counts } = this.#counters);
        slots = this.#slots;
      }
    }
  }

  addSpan(trace: TraceRows, span: number, interval: number): boolean {
    const exponent = exponentOf(trace.value(span, this.#field));
    if (exponent === 0) return false;
    this.#add(this.#groups.ofSpan(trace, span), exponent, interval);
    return true;
  }

  #add(groups: readonly number[], exponent: number, interval: number): void {
    this.#growSlots();
    for (const group of groups) {
      const slot = group * SLOTS + exponent;
      if (this.#slots[slot] === 0) this.#slots[slot] = this.#counters.add() + 1;
      const at = ((this.#slots[slot] as number) - 1) * this.#intervals.count + interval;
      this.#counters.counts[at] = (this.#counters.counts[at] as number) + 1;
    }
  }

  #growSlots(): void {
    const length = this.#groups.labels.length * SLOTS;
    if (length <= this.#slots.length) return;
    const larger = Math.max(length, 2 * this.#slots.length);
    this.#budget.take(4 * (larger - this.#slots.length));
    const slots = new Int32Array(larger);
    slots.set(this.#slots);
    this.#slots = slots;
  }

  placeOf(trace: TraceRows, span: number): Place | undefined {
    const value = trace.value(span, this.#field);
    if (value.type !== 'int' && value.type !== 'duration') return undefined;
    const [group] = this.#groups.ofSpan(trace, span);
    const labels = this.#groups.labels[group as number] as Label[];
    return {
      series: this.#quantiles?.map((quantile) => this.#labelsOf(labels, 'p', quantile)) ?? [
        this.#labelsOf(labels, '__bucket', boundOf(exponentOf(value), this.#field)),
      ],
      value: isDuration(this.#field) ? Number(value.value) / 1e9 : Number(value.value),
    };
  }

  #labelsOf(labels: readonly Label[], key: '__bucket' | 'p', value: number): Label[] {
    return [...labels, { key, value: { type: 'float', value } }];
  }

  series(): RawSeries[] {
    const quantiles = this.#quantiles;
    const count = quantiles === undefined ? this.#counters.rows : this.#groups.labels.length * quantiles.length;
    this.#budget.take(SERIES_BYTES * count);
    return this.#groups.labels.flatMap((labels, group): RawSeries[] => {
      const buckets = this.#bucketsOf(group);
      if (quantiles === undefined) {
        return buckets.map(({ exponent, counts }) => ({
          labels: this.#labelsOf(labels, '__bucket', boundOf(exponent, this.#field)),
          read: () => ({ values: Float64Array.from(counts), present: undefined }),
        }));
      }
      return quantiles.map((quantile) => ({
        labels: this.#labelsOf(labels, 'p', quantile),
        read: () => {
          const values = new Float64Array(this.#intervals.count);
          for (let interval = 0; interval < values.length; interval++) {
            values[interval] = this.#quantile(quantile, buckets, interval);
          }
          return { values, present: undefined };
        },
      }));
    });
  }

  /** By exponent, ascending. */
  #bucketsOf(group: number): Bucket[] {
    const buckets: Bucket[] = [];
    for (let exponent = 1; exponent < SLOTS; exponent++) {
      const row = (this.#slots[group * SLOTS + exponent] as number) - 1;
      if (row < 0) continue;
      const from = row * this.#intervals.count;
      buckets.push({ exponent, counts: this.#counters.counts.subarray(from, from + this.#intervals.count) });
    }
    return buckets;
  }

  /** 2^(k - 1 + i/m): docs/traceql.md, "Metrics". 0 where there is no value. */
  #quantile(quantile: number, buckets: readonly Bucket[], interval: number): number {
    let total = 0;
    for (const { counts } of buckets) total += counts[interval] as number;
    const rank = Math.max(1, Math.ceil(quantile * total));
    let below = 0;
    for (const { exponent, counts } of buckets) {
      const count = counts[interval] as number;
      if (count > 0 && below + count >= rank) {
        const value = 2 ** (exponent - 1 + (rank - below) / count);
        return isDuration(this.#field) ? value / 1e9 : value;
      }
      below += count;
    }
    return 0;
  }
}

interface Bucket {
  exponent: number;
  counts: Uint32Array;
}
