import type { QueryStats } from '@vivace/block-query';
import { VivaceError } from '@vivace/kernel';
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
import { interleave } from './interleave.ts';
import { mergeSeries, mergingOf } from './merge-series.ts';
import { mergeTagScopes, mergeTagValues } from './merge-tags.ts';
import { mergeMatches } from './merge-traces.ts';
import { NOTHING_READ } from './nothing-read.ts';

/** A query engine for the tenants of one request. */
export interface BoundEngine {
  search(options: SearchOptions): AsyncIterable<SearchPart>;
  metrics(options: MetricsOptions): AsyncIterable<MetricsPart>;
  tags(options: TagsOptions): Promise<TagsAnswer>;
  tagValues(options: TagValuesOptions): Promise<TagValuesAnswer>;
}

/**
 * The engine for one tenant as it is; for several, each is asked and the answers are merged. What is found of
 * several tenants comes when all have answered; until then parts tell the progress.
 */
export function engineFor(engine: QueryEngine, tenants: readonly string[]): BoundEngine {
  const [only] = tenants;
  if (tenants.length === 1 && only !== undefined) {
    return {
      search: (options) => engine.search(only, options),
      metrics: (options) => engine.metrics(only, options),
      tags: (options) => engine.tags(only, options),
      tagValues: (options) => engine.tagValues(only, options),
    };
  }
  return {
    search: (options) => searchTenants(engine, tenants, options),
    metrics: (options) => metricsOfTenants(engine, tenants, options),
    tags: async (options) => {
      const answers = await Promise.all(tenants.map((tenant) => engine.tags(tenant, options)));
      return {
        ...rest(tenants, answers),
        scopes: mergeTagScopes(answers, options.limit),
        truncated: isTruncated(answers),
      };
    },
    tagValues: async (options) => {
      const answers = await Promise.all(tenants.map((tenant) => engine.tagValues(tenant, options)));
      return {
        ...rest(tenants, answers),
        values: mergeTagValues(answers, options.limit),
        truncated: isTruncated(answers),
      };
    },
  };
}

function isTruncated(answers: readonly { truncated?: boolean }[]): boolean {
  return answers.some(({ truncated }) => truncated === true);
}

async function* searchTenants(
  engine: QueryEngine,
  tenants: readonly string[],
  options: SearchOptions,
): AsyncGenerator<SearchPart> {
  if (options.cursor !== undefined) {
    throw new VivaceError(
      'invalid',
      'cursor-of-tenants',
      `a cursor is of one tenant: received ${tenants.length}\nask one tenant at a time, or without a cursor`,
    );
  }
  const latest = tenants.map((): Gathered => ({ stats: NOTHING_READ, problems: [] }));
  const found = tenants.map((): SearchPart['traces'] => []);
  const open = tenants.map(
    (tenant) => (signal: AbortSignal) => engine.search(tenant, { ...options, written: undefined, signal }),
  );
  for await (const { source, item } of interleave(options.signal, open)) {
    latest[source] = item;
    for (const trace of item.traces) found[source]?.push(trace);
    yield { traces: [], cursor: undefined, ...rest(tenants, latest) };
  }
  yield { traces: mergeMatches(found, options), cursor: undefined, ...rest(tenants, latest) };
}

async function* metricsOfTenants(
  engine: QueryEngine,
  tenants: readonly string[],
  options: MetricsOptions,
): AsyncGenerator<MetricsPart> {
  const merging = mergingOf(options.query);
  const none: MetricsPart = { series: [], stats: NOTHING_READ, problems: [], truncated: false };
  const latest = tenants.map(() => none);
  const open = tenants.map((tenant) => (signal: AbortSignal) => engine.metrics(tenant, { ...options, signal }));
  for await (const { source, item } of interleave(options.signal, open)) {
    latest[source] = item;
    yield { series: [], truncated: false, ...rest(tenants, latest) };
  }
  const { series, truncated } = mergeSeries(
    latest.map((part) => part.series),
    merging,
    options,
  );
  yield { series, truncated: truncated || latest.some((part) => part.truncated), ...rest(tenants, latest) };
}

interface Gathered {
  stats: QueryStats;
  problems: string[];
}

/** The sums of what was looked at, and whose every problem is. */
function rest(tenants: readonly string[], answers: readonly Gathered[]): Gathered {
  const stats = { ...NOTHING_READ };
  for (const answer of answers) {
    for (const name of Object.keys(stats) as (keyof QueryStats)[]) stats[name] += answer.stats[name];
  }
  const problems = answers.flatMap((answer, i) => answer.problems.map((problem) => `tenant ${tenants[i]}: ${problem}`));
  return { stats, problems };
}
