import { isDeepStrictEqual } from 'node:util';
import { createBlockCache, openBlock } from '@vivace/block';
import {
  blockSource,
  type MetricsResult,
  metrics,
  type SearchResult,
  SourceFailure,
  search,
  type TagValuesResult,
  tagValues,
} from '@vivace/block-query';
import { randomMetricsQueryText, randomQueryText } from '@vivace/block-query/testing';
import { concatBytes, isKind, seededRandom } from '@vivace/kernel';
import { parse, parseField } from '@vivace/traceql';
import { type CorpusBlock, corpusBlocks, damagedBlock, forgedBlock } from '../block-corpus.ts';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';

const DAMAGED = 0;
const FORGED = 1;
const QUERIES = 200;
const SECOND = 1_000_000_000n;

type Answer = SearchResult | MetricsResult | TagValuesResult;

const { signal } = new AbortController();
const options = { signal, breathe: async () => undefined };

/**
 * A query over a damaged block gives the right answer, or says that the block cannot be read; over a forged one,
 * whose checksums agree, any answer, or that. The first bytes of an input say which block it was, what was done to it,
 * and which query is asked.
 */
export async function queriesTarget(seed: number): Promise<FuzzTarget> {
  const blocks = corpusBlocks(seed);
  const questions = createQuestions(seed);
  const right: (Answer | 'refused')[][] = [];
  for (const block of blocks) {
    const length = block.place.sections.index.length;
    const answers: (Answer | 'refused')[] = [];
    for (const ask of questions) {
      const answer = await outcome(ask(block, block.bytes, length));
      expectThat(answer !== 'unreadable', 'a whole block cannot be read');
      answers.push(answer);
    }
    right.push(answers);
  }
  return {
    keepBytes: 3,
    make(random) {
      const number = below(random, blocks.length);
      const block = blocks[number] as CorpusBlock;
      const mode = oneIn(random, 3) ? DAMAGED : FORGED;
      const bytes = mode === FORGED ? forgedBlock(random, block) : damagedBlock(random, block);
      return concatBytes([Uint8Array.of(number, mode, below(random, questions.length)), bytes]);
    },
    async check(input) {
      const number = input[0] as number;
      const question = input[2] as number;
      const block = blocks[number] as CorpusBlock;
      const bytes = input.subarray(3);
      const { index } = block.place.sections;
      const length = input[1] === FORGED ? bytes.length - index.offset : index.length;
      const answer = await outcome((questions[question] as Question)(block, bytes, length));
      if (input[1] === FORGED || answer === 'unreadable') return;
      expectThat(isDeepStrictEqual(answer, right[number]?.[question]), `question ${question} is answered otherwise`);
    },
  };
}

type Question = (block: CorpusBlock, bytes: Uint8Array, indexLength: number) => Promise<Answer>;

function createQuestions(seed: number): Question[] {
  const random = seededRandom(seed);
  return Array.from({ length: QUERIES }, (_, number): Question => {
    if (number % 5 === 0) {
      const field = parseField(pick(random, ['.a', 'span.b', 'event.a', 'name', 'resource.service.name', 'rootName']));
      return async (...block) => tagValues([sourceOf(...block)], { field, filter: undefined, limit: 0 }, options);
    }
    if (number % 5 === 1) {
      const query = parse(randomMetricsQueryText(random));
      const range = { startUnixNano: 0n, endUnixNano: 40n * SECOND, stepNanos: SECOND };
      return async (...block) =>
        metrics([sourceOf(...block)], { query, ...range, exemplars: 10, maxSeries: 100 }, options);
    }
    const request = {
      query: parse(randomQueryText(random)),
      startUnixNano: undefined,
      endUnixNano: undefined,
      limit: 20,
      spansPerSpanset: 3,
      after: undefined,
    };
    return async (...block) => search([sourceOf(...block)], request, options);
  });
}

function sourceOf({ place }: CorpusBlock, bytes: Uint8Array, indexLength: number) {
  const sections = { ...place.sections, index: { ...place.sections.index, length: indexLength } };
  const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
  return blockSource(
    openBlock({ place: { id: place.id, sections }, readRange, cache: createBlockCache({ maxBytes: 1 << 26 }) }),
  );
}

async function outcome(asked: Promise<Answer>): Promise<Answer | 'unreadable' | 'refused'> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SourceFailure && isKind(error.cause, 'data')) return 'unreadable';
    if (isKind(error, 'invalid', 'limited')) return 'refused';
    throw error;
  }
}
