import type { QueryStats } from '@vivace/block-query';
import {
  type NaiveTrace,
  naiveMetrics,
  naiveSearch,
  naiveTags,
  naiveTagValues,
  readTraces,
} from '@vivace/block-query/testing';
import type { Query } from '@vivace/traceql';
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

/** An engine over the plainest evaluator there is, with everything in memory; one tenant, no pages, no exemplars. */
export class NaiveEngine implements QueryEngine {
  private readonly traces: NaiveTrace[];

  constructor(requests: readonly Uint8Array[]) {
    this.traces = readTraces(requests);
  }

  async *search(_: string, { query, spansPerSpanset, ...options }: SearchOptions): AsyncGenerator<SearchPart> {
    const most = spansPerSpanset === 0 ? Number.POSITIVE_INFINITY : spansPerSpanset;
    const traces = naiveSearch(this.traces, query, { ...options, spansPerSpanset: most });
    yield { traces, stats: this.stats(), cursor: undefined, problems: [] };
  }

  async *metrics(_: string, options: MetricsOptions): AsyncGenerator<MetricsPart> {
    const { query, startUnixNano: start, endUnixNano: end, stepNanos: step } = options;
    const series = naiveMetrics(this.traces, query, { start, end, step, exemplars: 0 });
    yield { series, stats: this.stats(), problems: [], truncated: false };
  }

  async tags(_: string, { scope, filter, limit, ...range }: TagsOptions): Promise<TagsAnswer> {
    const names = Object.entries(naiveTags(this.traces, queryOf(filter), range)) as [
      TagsAnswer['scopes'][0]['name'],
      string[],
    ][];
    const scopes = names
      .filter(([name, tags]) => tags.length > 0 && (scope === undefined || scope === name))
      .map(([name, tags]) => ({ name, tags: tags.slice(0, limit) }));
    return { scopes, stats: this.stats(), problems: [] };
  }

  async tagValues(_: string, { field, filter, limit, ...range }: TagValuesOptions): Promise<TagValuesAnswer> {
    const values = naiveTagValues(this.traces, field, queryOf(filter), range).slice(0, limit);
    return { values, stats: this.stats(), problems: [] };
  }

  private stats(): QueryStats {
    const inspectedSpans = this.traces.reduce((sum, { spans }) => sum + spans.length, 0);
    return {
      inspectedTraces: this.traces.length,
      inspectedSpans,
      inspectedBytes: 0,
      totalBlocks: 0,
      totalBlockBytes: 0,
      completedJobs: 1,
      totalJobs: 1,
    };
  }
}

function queryOf(filter: TagsOptions['filter']): Query | undefined {
  if (filter === undefined) return undefined;
  const { from, to } = filter;
  return { pipeline: { stages: [filter], from, to }, metrics: undefined, secondStages: [], hints: [], from, to };
}
