import {
  type MetricsResult,
  metrics,
  type SearchResult,
  type Source,
  SourceFailure,
  search,
  type TagsResult,
  type TagValuesResult,
  tags,
  tagValues,
} from '@vivace/block-query';
import { randomMetricsQueryText, randomQueryText } from '@vivace/block-query/testing';
import { isKind, seededRandom } from '@vivace/kernel';
import { parse, parseField } from '@vivace/traceql';
import { pick } from './fuzz-target.ts';

const QUESTIONS = 200;
const SECOND = 1_000_000_000n;

type Answer = SearchResult | MetricsResult | TagValuesResult | TagsResult;

export type Outcome = Answer | 'unreadable' | 'refused';

export type Question = (source: Source) => Promise<Answer>;

const { signal } = new AbortController();
const options = { signal, breathe: async () => undefined };

/** Of which values are asked for. */
const FIELDS = ['.a', 'span.b', 'event.a', 'link.a', 'resource.service.name', 'rootName'];
/** Of those that are not UTF-8 a block lists "" where a head has their text. */
const NAMES = ['name', 'event:name'];

/**
 * Questions of every kind; at most 256, always the same of a seed. Without names for what must be the same in a head
 * and in its block.
 */
export function createQuestions(seed: number, names: 'names' | 'no names'): Question[] {
  const random = seededRandom(seed);
  const fields = names === 'names' ? [...FIELDS, ...NAMES] : FIELDS;
  return Array.from({ length: QUESTIONS }, (_, number): Question => {
    if (number % 5 === 0) {
      const field = parseField(pick(random, fields));
      return async (source) => tagValues([source], { field, filter: undefined, limit: 0 }, options);
    }
    if (number === 1)
      return async (source) => tags([source], { scope: undefined, filter: undefined, limit: 0 }, options);
    if (number % 5 === 1) {
      const query = parse(randomMetricsQueryText(random));
      const range = { startUnixNano: 0n, endUnixNano: 40n * SECOND, stepNanos: SECOND };
      return async (source) => metrics([source], { query, ...range, exemplars: 10, maxSeries: 100 }, options);
    }
    const request = {
      query: parse(randomQueryText(random)),
      startUnixNano: undefined,
      endUnixNano: undefined,
      limit: 20,
      spansPerSpanset: 3,
      after: undefined,
    };
    return async (source) => search([source], request, options);
  });
}

/** What an answer is, or why there is none: the source cannot be read, or the question may not be asked. */
export async function outcome(asked: Promise<Answer>): Promise<Outcome> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SourceFailure && isKind(error.cause, 'data')) return 'unreadable';
    if (isKind(error, 'invalid', 'limited')) return 'refused';
    throw error;
  }
}
