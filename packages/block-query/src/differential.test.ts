import { bytesToHex, isKind, type Random, seededRandom, toVivaceError } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import { expect, test } from 'vitest';
import type { AnswerAttribute, AnswerValue, TraceMatch } from './answer.ts';
import { naiveSearch } from './naive/search.ts';
import { search } from './search.ts';
import { BASE_UNIX_NANO } from './testing/dataset.ts';
import { below, chance } from './testing/random-choice.ts';
import { randomQuery } from './testing/random-query.ts';
import { randomTraces } from './testing/random-traces.ts';
import { readTraces } from './testing/read-traces.ts';
import { splitSources } from './testing/split-sources.ts';

const PAIRS = Number(process.env['VIVACE_QUERY_PAIRS'] ?? 20_000);
const FIRST_SEED = Number(process.env['VIVACE_QUERY_SEED'] ?? 1);
const QUERIES_PER_DATASET = 20;

const options = { signal: new AbortController().signal, breathe: async () => undefined };

test(`${PAIRS} random searches over random traces give what the naive evaluator gives`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PAIRS / QUERIES_PER_DATASET; seed++) {
    const random = seededRandom(seed);
    const requests = randomTraces(random);
    const traces = readTraces(requests);
    const sources = splitSources(requests, random);
    for (let i = 0; i < QUERIES_PER_DATASET; i++) {
      const query = randomQuery(random);
      const request = { query, ...randomRange(random), spansPerSpanset: 1000, limit: 1 + below(random, 10) };
      const expected = await outcome(() => naiveSearch(traces, query, request));
      const given = await outcome(
        async () => (await search(sources, { ...request, after: undefined }, options)).traces,
      );
      // Which traces are looked at at all is the evaluator's business, and with it whether one of them is refused.
      if (typeof expected === 'string' && typeof given !== 'string') continue;
      expect(given, `seed ${seed}, query ${printQuery(query)}`).toEqual(expected);
    }
  }
});

function randomRange(random: Random): { startUnixNano: bigint | undefined; endUnixNano: bigint | undefined } {
  if (chance(random, 0.7)) return { startUnixNano: undefined, endUnixNano: undefined };
  const from = BASE_UNIX_NANO + BigInt(below(random, 60)) * 1_000_000_000n;
  return { startUnixNano: from, endUnixNano: from + BigInt(below(random, 30)) * 1_000_000_000n };
}

async function outcome(run: () => TraceMatch[] | Promise<TraceMatch[]>): Promise<unknown> {
  try {
    return (await run()).map(plainMatch);
  } catch (error) {
    if (isKind(error, 'invalid')) return toVivaceError(error).code;
    throw error;
  }
}

function plainMatch({ traceId, services, spansets, ...facts }: TraceMatch): unknown {
  return {
    ...facts,
    traceId: bytesToHex(traceId),
    services: [...services].sort(([a], [b]) => (a < b ? -1 : 1)),
    spansets: spansets.map(({ spans, matched, attributes }) => ({
      matched,
      attributes: attributes.map(plainAttribute),
      spans: spans.map((span) => ({
        ...span,
        spanId: bytesToHex(span.spanId),
        attributes: span.attributes.map(plainAttribute),
      })),
    })),
  };
}

function plainAttribute({ key, value }: AnswerAttribute): unknown {
  return [key, plainValue(value)];
}

/** Texts of what TraceQL has no type for are for people. */
function plainValue(value: AnswerValue): unknown {
  if (value.type === 'array') return value.values.map(plainValue);
  return value.type === 'other' ? 'other' : [value.type, 'value' in value ? value.value : undefined];
}
