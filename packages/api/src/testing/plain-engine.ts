import type { AnswerValue, QueryStats, Series, SpanAnswer, SpansetAnswer, TraceMatch } from '@vivace/block-query';
import { hexToBytes } from '@vivace/kernel';
import type {
  MetricsOptions,
  MetricsPart,
  QueryEngine,
  SearchOptions,
  SearchPart,
  TagsAnswer,
  TagsOptions,
  TagValuesAnswer,
  TagValuesOptions,
} from '../query-engine.ts';

export const STATS: QueryStats = {
  inspectedTraces: 3,
  inspectedSpans: 40,
  inspectedBytes: 20_556,
  totalBlocks: 2,
  totalBlockBytes: 9000,
  completedJobs: 2,
  totalJobs: 4,
};

/** An engine that answers what a test puts there, of every tenant the same unless it says otherwise. */
export class PlainEngine implements QueryEngine {
  readonly asked: { tenant: string; options: SearchOptions | MetricsOptions | TagsOptions | TagValuesOptions }[] = [];
  onSearch: (tenant: string, options: SearchOptions) => AsyncIterable<SearchPart> = async function* () {
    yield searchPart([]);
  };
  onMetrics: (tenant: string, options: MetricsOptions) => AsyncIterable<MetricsPart> = async function* () {
    yield metricsPart([]);
  };
  onTags: (tenant: string, options: TagsOptions) => Promise<TagsAnswer> = async () => ({
    scopes: [],
    stats: STATS,
    problems: [],
  });
  onTagValues: (tenant: string, options: TagValuesOptions) => Promise<TagValuesAnswer> = async () => ({
    values: [],
    stats: STATS,
    problems: [],
  });

  search(tenant: string, options: SearchOptions): AsyncIterable<SearchPart> {
    this.asked.push({ tenant, options });
    return this.onSearch(tenant, options);
  }

  metrics(tenant: string, options: MetricsOptions): AsyncIterable<MetricsPart> {
    this.asked.push({ tenant, options });
    return this.onMetrics(tenant, options);
  }

  async tags(tenant: string, options: TagsOptions): Promise<TagsAnswer> {
    this.asked.push({ tenant, options });
    return this.onTags(tenant, options);
  }

  async tagValues(tenant: string, options: TagValuesOptions): Promise<TagValuesAnswer> {
    this.asked.push({ tenant, options });
    return this.onTagValues(tenant, options);
  }
}

export function searchPart(traces: TraceMatch[], more: Partial<SearchPart> = {}): SearchPart {
  return { traces, stats: STATS, cursor: undefined, problems: [], ...more };
}

export function metricsPart(series: Series[], more: Partial<MetricsPart> = {}): MetricsPart {
  return { series, stats: STATS, problems: [], truncated: false, ...more };
}

/** A trace with an id of its number, a second younger than the one with the number above. */
export function traceMatch(number: number, more: Partial<TraceMatch> = {}): TraceMatch {
  return {
    traceId: hexToBytes(number.toString(16).padStart(32, '0')),
    root: { service: 'shop', name: 'GET /' },
    startUnixNano: 1_795_226_252_234_981_743n - BigInt(number) * 1_000_000_000n,
    durationNanos: 100_000_000n,
    services: new Map([['shop', { spanCount: 2, errorCount: 0 }]]),
    spansets: [spanset([span(number)])],
    ...more,
  };
}

export function spanset(spans: SpanAnswer[], more: Partial<SpansetAnswer> = {}): SpansetAnswer {
  return { spans, matched: spans.length, attributes: [], ...more };
}

export function span(number: number, attributes: Record<string, AnswerValue> = {}): SpanAnswer {
  return {
    spanId: hexToBytes(number.toString(16).padStart(16, '0')),
    name: undefined,
    startUnixNano: 1_795_226_252_234_981_743n,
    durationNanos: 50_000_000n,
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
  };
}

/** A series with one label and samples a second apart. */
export function series(label: string, values: number[]): Series {
  return {
    labels: [{ key: 'name', value: { type: 'string', value: label } }],
    samples: values.map((value, i) => ({ timestampMs: 1000 * (i + 1), value })),
    exemplars: [],
  };
}
