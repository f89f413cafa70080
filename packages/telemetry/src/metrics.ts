import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a component registers its metrics with. There is no global registry: two servers in one process do not meet. */
export interface Metrics {
  readonly registry: Registry;
  /** Names end in `_total`. With `collect` somebody else counts, and is asked when the page is. */
  counter<Label extends string = never>(options: CounterOptions<Label>): Counter<Label>;
  /** With `collect` the value is read when somebody asks: given back, or set for the labels there are. */
  gauge<Label extends string = never>(options: GaugeOptions<Label>): Gauge<Label>;
  /** Names end in their unit: `_seconds`, `_bytes`. */
  histogram<Label extends string = never>(options: HistogramOptions<Label>): Histogram<Label>;
  /** The page of `/metrics` and its content type. */
  render(): Promise<{ contentType: string; body: string }>;
}

export interface MetricOptions<Label extends string> {
  /** With prefix: `vivace_…`. */
  name: string;
  help: string;
  /** Few values each: a series is kept for every combination ever seen. Never a tenant or anything a client chooses. */
  labels?: readonly Label[];
}

export interface CounterOptions<Label extends string> extends MetricOptions<Label> {
  collect?: (set: (labels: Record<Label, string>, total: number) => void) => void;
}

export interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  collect?: (set: (labels: Record<Label, string>, value: number) => void) => number | void;
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds in the metric's unit, ascending. Default: 1 ms to 10 s, for seconds. */
  buckets?: readonly number[];
}

/** 1 ms to 10 s: a lookup from the cache and a query over a month are both in it. */
export const LATENCY_BUCKETS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** A registry of its own; `processMetrics` adds CPU, memory, event-loop and garbage-collection metrics of the process. */
export function createMetrics({ processMetrics = false }: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    registry,
    counter: ({ name, help, labels = [], collect }) =>
      new Counter({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        ...(collect && {
          collect() {
            this.reset();
            collect((labelled, total) => this.inc(labelled, total));
          },
        }),
      }),
    gauge: ({ name, help, labels = [], collect }) =>
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        ...(collect && {
          collect() {
            const value = collect((labels, labelled) => this.set(labels, labelled));
            if (value !== undefined) this.set(value);
          },
        }),
      }),
    histogram: ({ name, help, labels = [], buckets = LATENCY_BUCKETS_SECONDS }) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [registry] }),
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
