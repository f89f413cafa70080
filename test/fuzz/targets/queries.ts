import { isDeepStrictEqual } from 'node:util';
import { createBlockCache, openBlock } from '@vivace/block';
import { blockSource } from '@vivace/block-query';
import { concatBytes } from '@vivace/kernel';
import { type CorpusBlock, corpusBlocks, damagedBlock, forgedBlock } from '../block-corpus.ts';
import { below, expectThat, type FuzzTarget, oneIn } from '../fuzz-target.ts';
import { createQuestions, type Outcome, outcome, type Question } from '../questions.ts';

const DAMAGED = 0;
const FORGED = 1;

/**
 * A query over a damaged block gives the right answer, or says that the block cannot be read; over a forged one,
 * whose checksums agree, any answer, or that. The first bytes of an input say which block it was, what was done to it,
 * and which query is asked.
 */
export async function queriesTarget(seed: number): Promise<FuzzTarget> {
  const blocks = corpusBlocks(seed);
  const questions = createQuestions(seed, 'names');
  const right: Outcome[][] = [];
  for (const block of blocks) {
    const length = block.place.sections.index.length;
    const answers: Outcome[] = [];
    for (const ask of questions) {
      const answer = await outcome(ask(sourceOf(block, block.bytes, length)));
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
      const answer = await outcome((questions[question] as Question)(sourceOf(block, bytes, length)));
      if (input[1] === FORGED || answer === 'unreadable') return;
      expectThat(isDeepStrictEqual(answer, right[number]?.[question]), `question ${question} is answered otherwise`);
    },
  };
}

function sourceOf({ place }: CorpusBlock, bytes: Uint8Array, indexLength: number) {
  const sections = { ...place.sections, index: { ...place.sections.index, length: indexLength } };
  const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
  return blockSource(
    openBlock({ place: { id: place.id, sections }, readRange, cache: createBlockCache({ maxBytes: 1 << 26 }) }),
  );
}
