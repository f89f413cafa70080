import { type Random, seededRandom } from '@vivace/kernel';
import { type Field, parse, parseField, printQuery, type Query } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import { dependsOnTrace } from '../literal-comparison.ts';
import type { NaiveTrace } from '../naive/model.ts';
import { naiveTags, naiveTagValues } from '../naive/tags.ts';
import type { Filter } from '../needs.ts';
import type { Source } from '../source.ts';
import { below, chance } from '../testing/random-choice.ts';
import { randomCondition, randomField } from '../testing/random-condition.ts';
import { randomTraces } from '../testing/random-traces.ts';
import { readTraces } from '../testing/read-traces.ts';
import { splitSources } from '../testing/split-sources.ts';
import { type Value, valueKey } from '../value.ts';
import { knownValues } from './intrinsics.ts';
import { tagValues } from './tag-values.ts';
import { tags } from './tags.ts';

const DATASETS = Number(process.env['VIVACE_TAG_DATASETS'] ?? 200);
const FIRST_SEED = Number(process.env['VIVACE_QUERY_SEED'] ?? 1);

const EVER = { startUnixNano: undefined, endUnixNano: undefined };
const options = { signal: new AbortController().signal, breathe: async () => undefined };

/** Requests as several sources hold them, and what each source, and all of them together, have of traces. */
interface Dataset {
  sources: Source[];
  /** By source. */
  parts: NaiveTrace[][];
  all: NaiveTrace[];
}

function randomDataset(random: Random): Dataset {
  const shares = Array.from({ length: below(random, 3) + 1 }, (): Uint8Array[] => []);
  const requests = randomTraces(random);
  for (const request of requests) shares[below(random, shares.length)]?.push(request);
  return {
    sources: shares.flatMap((share, number) =>
      splitSources(share, random, 1).map((source) => ({ ...source, id: `${source.id} of share ${number}` })),
    ),
    parts: shares.map((share) => readTraces(share)),
    all: readTraces(requests),
  };
}

function randomFilter(random: Random): Query | undefined {
  if (chance(random, 0.3)) return undefined;
  return parse(chance(random, 0.1) ? '{ }' : `{ ${randomCondition(random, 2)} }`);
}

function filterOf(query: Query | undefined): Filter | undefined {
  return query?.pipeline.stages[0] as Filter | undefined;
}

/** What is exact: conditions that ask nothing of other parts of the trace, and all of them where there is one part. */
function isExact(query: Query | undefined, { sources }: Dataset): boolean {
  const condition = filterOf(query)?.expression;
  return sources.length === 1 || condition === undefined || !dependsOnTrace(condition);
}

function isOfRoot(field: Field): boolean {
  return field.kind === 'intrinsic' && (field.name === 'trace:rootName' || field.name === 'trace:rootService');
}

function keysOf(values: readonly Value[]): string[] {
  return [...new Set(values.map(valueKey))].sort();
}

function expectWithin(found: readonly string[], least: readonly string[], most: readonly string[], hint: string): void {
  expect(
    least.filter((one) => !found.includes(one)),
    `${hint}: missing`,
  ).toEqual([]);
  expect(
    found.filter((one) => !most.includes(one)),
    `${hint}: too many`,
  ).toEqual([]);
}

describe('tags of random traces in heads and blocks', () => {
  test('are those of the spans of each source, and those of whole traces among them', {
    timeout: 600_000,
  }, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + DATASETS; seed++) {
      const random = seededRandom(seed);
      const data = randomDataset(random);
      for (let i = 0; i < 8; i++) {
        const query = randomFilter(random);
        const result = await tags(data.sources, { scope: undefined, filter: filterOf(query), limit: 0 }, options);
        const names = new Map(result.scopes.map((one) => [one.name, one.tags]));
        for (const scope of ['span', 'resource', 'event', 'link', 'instrumentation'] as const) {
          const hint = `seed ${seed}, ${query === undefined ? 'all' : printQuery(query)}, ${scope}`;
          const found = names.get(scope) ?? [];
          const ofParts = (by: Query | undefined) => [
            ...new Set(data.parts.flatMap((part) => naiveTags(part, by, EVER)[scope])),
          ];
          expect(found).toEqual([...found].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          if (isExact(query, data)) expect([...found].sort(), hint).toEqual(ofParts(query).sort());
          expectWithin(found, naiveTags(data.all, query, EVER)[scope], ofParts(undefined), hint);
        }
      }
    }
  });

  test('have the values of the spans of each source, and those of whole traces among them', {
    timeout: 600_000,
  }, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + DATASETS; seed++) {
      const random = seededRandom(seed);
      const data = randomDataset(random);
      for (let i = 0; i < 20; i++) {
        const query = randomFilter(random);
        const text = randomField(random);
        const field = parseField(text);
        const { values, truncated } = await tagValues(
          data.sources,
          { field, filter: filterOf(query), limit: 0 },
          options,
        );
        const hint = `seed ${seed}, ${query === undefined ? 'all' : printQuery(query)}, ${text}`;
        expect(truncated).toBe(false);
        if (knownValues(field) !== undefined) {
          expect(values, hint).toEqual(knownValues(field));
          continue;
        }
        const found = values.map(valueKey);
        expect(new Set(found).size, hint).toBe(found.length);
        const ofParts = (by: Query | undefined) =>
          keysOf(data.parts.flatMap((part) => naiveTagValues(part, field, by, EVER)));
        const whole = keysOf(naiveTagValues(data.all, field, query, EVER));
        if (isOfRoot(field) && data.sources.length > 1 && query !== undefined) {
          const roots = data.parts.flat().flatMap(({ spans }) => spans.filter((span) => span.parentId === undefined));
          const texts = roots.map((span): Value => {
            const service = span.resource.get('service.name');
            const named = service?.type === 'string' ? service.value : '';
            return { type: 'string', value: text.includes('Service') ? named : span.name };
          });
          expectWithin(found, whole, keysOf(texts), hint);
          continue;
        }
        if (isExact(query, data)) expect([...found].sort(), hint).toEqual(ofParts(query));
        // Parts that do not have what hides a value elsewhere show it.
        expectWithin(found, whole, ofParts(undefined), hint);
      }
    }
  });
});
