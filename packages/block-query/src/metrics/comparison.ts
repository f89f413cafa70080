import { VivaceError } from '@vivace/kernel';
import type { MetricsStage } from '@vivace/traceql';
import type { Label } from '../answer.ts';
import type { Needs } from '../batch.ts';
import type { BatchRows } from '../batch-rows.ts';
import { holdsOf } from '../evaluate.ts';
import { noNeeds } from '../needs.ts';
import type { Source } from '../source.ts';
import { atSource } from '../source-failure.ts';
import { scanRows } from '../span-scan.ts';
import type { TraceRows } from '../trace-rows.ts';
import { NIL, type Value, valueKey } from '../value.ts';
import type { Budget } from './budget.ts';
import { classesOf } from './classes.ts';
import { type ComparedField, ComparedFields, comparedValues } from './compared-fields.ts';
import type { SpanCounter } from './count-spans.ts';
import { type Intervals, intervalOf, type Marks, markIntervals } from './intervals.ts';
import { compareValues } from './labels.ts';
import { noSamples, type RawSeries } from './raw-series.ts';

export type CompareStage = Extract<MetricsStage, { function: 'compare' }>;

/** An attribute with more values is not compared, but said to have too many. */
const MAX_VALUES = 10_000;
const MAX_ATTRIBUTES = 2000;
/** What a value that is known takes besides its text, roughly. */
const VALUE_BYTES = 200;
const SPAN_BYTES = 64;

const SIDES = ['baseline', 'selection'] as const;

/** Columns that are compared. */
export async function comparisonNeeds(sources: readonly Source[], signal: AbortSignal): Promise<Needs> {
  const needs = noNeeds();
  const { fields, keys } = needs;
  fields.add('start').add('resource').add('overflow').add('name').add('status').add('kind').add('statusMessage');
  fields.add('parentIds').add('spanIds').add('traceIds');
  for (const source of sources) {
    for (const { attributeKeys } of await atSource(source, signal, () => source.batches(signal))) {
      for (const key of attributeKeys) keys.add(key);
    }
  }
  return needs;
}

/**
 * How often each value of each attribute occurs in the selection and in the rest: docs/traceql.md, "Metrics". Spans
 * are looked at twice: first every value is counted, then those that occur most by interval. In between a span is a
 * number: 0 where it does not count, else 1 + 2 * interval + side.
 */
export class Comparison implements SpanCounter {
  readonly #stage: CompareStage;
  readonly #intervals: Intervals;
  readonly #budget: Budget;
  readonly #maxValues: number;
  readonly #batches: { source: BatchRows; marks: Int16Array }[] = [];
  readonly #spans: { trace: TraceRows; span: number; mark: number }[] = [];
  readonly #fields = new ComparedFields();
  readonly #attributes = new Map<string, Attribute>();
  /** By mark. */
  readonly #totals: Uint32Array;

  constructor(stage: CompareStage, intervals: Intervals, budget: Budget, maxValues = MAX_VALUES) {
    this.#stage = stage;
    this.#intervals = intervals;
    this.#budget = budget;
    this.#maxValues = maxValues;
    this.#totals = new Uint32Array(1 + 2 * intervals.count);
  }

  addRows(source: BatchRows, intervals: Marks): void {
    const { selection, start, end } = this.#stage;
    const { batch } = source;
    const selected = scanRows(source, selection.expression, 'exact');
    const within =
      start === undefined || end === undefined || start >= end
        ? undefined
        : markIntervals(batch, { start, step: end - start, count: 1 }, undefined);
    const isBounded = start !== undefined && end !== undefined;
    this.#budget.take(2 * batch.rows);
    const marks = new Int16Array(batch.rows);
    for (let row = 0; row < marks.length; row++) {
      const interval = intervals.of[row] as number;
      if (interval < 0) continue;
      const isTimely = !isBounded || within?.of[row] === 0;
      const mark = 1 + 2 * interval + (isTimely && selected[row] === 1 ? 1 : 0);
      marks[row] = mark;
      this.#totals[mark] = (this.#totals[mark] as number) + 1;
    }
    this.#batches.push({ source, marks });
    for (const compared of this.#fields.ofRows(source, intervals)) {
      const { codes, size, valueOf } = classesOf(source, compared.field, intervals);
      const counts = new Uint32Array(size + 1);
      for (let row = 0; row < marks.length; row++) {
        if (marks[row] === 0) continue;
        const at = (codes[row] as number) + 1;
        counts[at] = (counts[at] as number) + 1;
      }
      for (let code = 0; code < size; code++) {
        const count = counts[code + 1] as number;
        if (count > 0) this.#count(compared, valueOf(code), count);
      }
    }
  }

  addSpan(trace: TraceRows, span: number, interval: number): void {
    const { selection, start, end } = this.#stage;
    const time = trace.source(span).startOf(trace.row(span));
    const isTimely =
      start === undefined ||
      end === undefined ||
      (start < end && intervalOf(time, { start, step: end - start, count: 1 }) === 0);
    const isSelected = selection.expression === undefined || holdsOf(selection.expression, trace, span);
    const mark = 1 + 2 * interval + (isTimely && isSelected ? 1 : 0);
    this.#totals[mark] = (this.#totals[mark] as number) + 1;
    this.#budget.take(SPAN_BYTES);
    this.#spans.push({ trace, span, mark });
    const source = trace.source(span);
    for (const compared of this.#fields.ofRow(source, trace.row(span))) {
      this.#count(compared, trace.value(span, compared.field), 1);
    }
  }

  #count(compared: ComparedField, value: Value, count: number): void {
    const values = comparedValues(compared, value);
    if (values.length === 0) return;
    let attribute = this.#attributes.get(compared.text);
    if (attribute === undefined) {
      if (this.#attributes.size >= MAX_ATTRIBUTES) {
        throw new VivaceError(
          'limited',
          'metrics-attributes',
          `spans have more than ${MAX_ATTRIBUTES} attributes to compare\nfilter for fewer spans`,
        );
      }
      attribute = { compared, values: new Map(), hasTooMany: false };
      this.#attributes.set(compared.text, attribute);
    }
    if (attribute.hasTooMany) return;
    for (const one of values) {
      const key = valueKey(one);
      const known = attribute.values.get(key);
      if (known !== undefined) known.total += count;
      else {
        this.#budget.take(VALUE_BYTES + 2 * key.length);
        attribute.values.set(key, { value: one, total: count });
      }
    }
    if (attribute.values.size <= this.#maxValues) return;
    for (const key of attribute.values.keys()) this.#budget.give(VALUE_BYTES + 2 * key.length);
    attribute.values.clear();
    attribute.hasTooMany = true;
  }

  series(): RawSeries[] {
    return [...this.#attributes.values()].flatMap((attribute) => this.#seriesOf(attribute));
  }

  #seriesOf({ compared, values, hasTooMany }: Attribute): RawSeries[] {
    if (hasTooMany) {
      const labels = labelsOf('__meta_error', '__too_many_values__', compared, NIL);
      return [{ labels, read: () => noSamples(this.#intervals) }];
    }
    const top = [...values.values()]
      .sort((a, b) => b.total - a.total || compareValues(a.value, b.value))
      .slice(0, this.#stage.top);
    const length = this.#totals.length;
    this.#budget.take(4 * length * (top.length + 1));
    const counts = top.map(() => new Uint32Array(length));
    // Of spans without any value, which is what is left when those with one are taken away.
    const missing = this.#totals.slice();
    this.#countAgain(compared, top, counts, missing);
    const series: RawSeries[] = [];
    for (const [side, name] of SIDES.entries()) {
      for (const [i, { value }] of top.entries()) {
        this.#addSide(series, labelsOf('__meta_type', name, compared, value), counts[i] as Uint32Array, side);
      }
      this.#addSide(series, labelsOf('__meta_type', name, compared, NIL), missing, side);
      this.#addSide(series, labelsOf('__meta_type', `${name}_total`, compared, NIL), this.#totals, side);
    }
    return series;
  }

  #countAgain(
    compared: ComparedField,
    top: readonly Known[],
    counts: readonly Uint32Array[],
    missing: Uint32Array,
  ): void {
    const places = new Map(top.map(({ value }, i) => [valueKey(value), i]));
    for (const { source, marks } of this.#batches) {
      const wanted: Marks = { of: Int32Array.from(marks, (mark) => mark - 1), rows: undefined };
      const { codes, valueOf } = classesOf(source, compared.field, wanted);
      const known: (ClassCounts | undefined)[] = [];
      for (let row = 0; row < marks.length; row++) {
        const mark = marks[row] as number;
        const code = codes[row] as number;
        if (mark === 0 || code < 0) continue;
        let found = known[code];
        if (found === undefined) {
          const elements = comparedValues(compared, valueOf(code));
          const kept = elements.map((one) => counts[places.get(valueKey(one)) ?? -1]);
          found = { isMissing: elements.length === 0, counts: kept.filter((one) => one !== undefined) };
          known[code] = found;
        }
        if (!found.isMissing) missing[mark] = (missing[mark] as number) - 1;
        for (const place of found.counts) place[mark] = (place[mark] as number) + 1;
      }
    }
    for (const { trace, span, mark } of this.#spans) {
      const elements = comparedValues(compared, trace.value(span, compared.field));
      if (elements.length > 0) missing[mark] = (missing[mark] as number) - 1;
      for (const one of elements) {
        const place = counts[places.get(valueKey(one)) ?? -1];
        if (place !== undefined) place[mark] = (place[mark] as number) + 1;
      }
    }
  }

  /** Unless nothing was counted. */
  #addSide(series: RawSeries[], labels: Label[], counts: Uint32Array, side: number): void {
    const values = Float64Array.from(
      { length: this.#intervals.count },
      (_, interval) => counts[1 + 2 * interval + side] ?? 0,
    );
    if (values.some((count) => count > 0)) series.push({ labels, read: () => ({ values, present: undefined }) });
  }
}

interface Attribute {
  compared: ComparedField;
  /** By key. */
  values: Map<string, Known>;
  hasTooMany: boolean;
}

interface Known {
  value: Value;
  total: number;
}

/** Where rows of a class are counted. */
interface ClassCounts {
  isMissing: boolean;
  counts: Uint32Array[];
}

function labelsOf(meta: '__meta_type' | '__meta_error', name: string, { text }: ComparedField, value: Value): Label[] {
  return [
    { key: meta, value: { type: 'string', value: name } },
    { key: text, value },
  ];
}
