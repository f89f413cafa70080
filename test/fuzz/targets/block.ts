import { isDeepStrictEqual } from 'node:util';
import { type BlockReader, createBlockCache, openBlock, traceSpanCounts } from '@vivace/block';
import { allRows } from '@vivace/block/testing';
import { type ColumnSetView, encodeSpans, mergeTrace } from '@vivace/columns';
import { concatBytes, isKind } from '@vivace/kernel';
import { type CorpusBlock, corpusBlocks, damagedBlock, forgedBlock, readTexts } from '../block-corpus.ts';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { expectWellFormed } from '../well-formed-set.ts';

/** What was done to a block: damage that checksums notice, or changes that they agree with. */
const DAMAGED = 0;
const FORGED = 1;

/**
 * A damaged block gives right answers or `data` errors, a forged one column sets that are what their type says, or
 * `data` errors. The first byte of an input says which block it was, the second what was done to it.
 */
export function blockTarget(seed: number): FuzzTarget {
  const blocks = corpusBlocks(seed);
  return {
    keepBytes: 2,
    make(random) {
      const number = below(random, blocks.length);
      const block = blocks[number] as CorpusBlock;
      const mode = oneIn(random, 3) ? DAMAGED : FORGED;
      let bytes: Uint8Array;
      if (mode === FORGED) bytes = forgedBlock(random, block);
      else if (oneIn(random, 4)) bytes = mutateBytes(random, block.bytes, pick(random, blocks).bytes);
      else bytes = damagedBlock(random, block);
      return concatBytes([Uint8Array.of(number, mode), bytes]);
    },
    async check(input) {
      const block = blocks[input[0] as number] as CorpusBlock;
      const bytes = input.subarray(2);
      if (input[1] === FORGED) await checkForged(block, bytes);
      else await checkDamaged(block, bytes);
    },
  };
}

function open({ place }: CorpusBlock, bytes: Uint8Array, indexLength: number): BlockReader {
  const sections = { ...place.sections, index: { ...place.sections.index, length: indexLength } };
  const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
  return openBlock({ place: { id: place.id, sections }, readRange, cache: createBlockCache({ maxBytes: 1 << 26 }) });
}

/** The answer; undefined for a `data` error. */
async function answered<T>(asked: Promise<T>): Promise<{ value: T } | undefined> {
  try {
    return { value: await asked };
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    return undefined;
  }
}

async function checkDamaged(block: CorpusBlock, bytes: Uint8Array): Promise<void> {
  const reader = open(block, bytes, block.place.sections.index.length);
  for (const [trace, traceId] of block.traceIds.entries()) {
    const answer = await answered(reader.readTrace(traceId));
    if (answer === undefined) continue;
    expectThat(answer.value !== undefined, 'a trace is not found');
    expectThat(isDeepStrictEqual(readTexts(answer.value), block.traceTexts[trace]), 'a trace reads otherwise');
  }
  for (const [group, texts] of block.groupTexts.entries()) {
    const answer = await answered(reader.readGroup(group));
    if (answer !== undefined) expectThat(isDeepStrictEqual(readTexts(answer.value), texts), 'a group reads otherwise');
  }
  await answered(reader.readSummary());
}

async function checkForged(block: CorpusBlock, bytes: Uint8Array): Promise<void> {
  const reader = open(block, bytes, bytes.length - block.place.sections.index.offset);
  for (const traceId of block.traceIds) {
    const answer = await answered(reader.readTrace(traceId));
    if (answer?.value !== undefined) expectAnswerable(answer.value);
  }
  const index = await answered(reader.index());
  for (const group of index?.value.spans.groups.keys() ?? []) {
    const answer = await answered(reader.readGroup(group));
    if (answer !== undefined) expectAnswerable(answer.value);
    const list = await answered(reader.readTraceList(group));
    if (list !== undefined) {
      await answered(Promise.resolve(list.value).then(traceSpanCounts));
    }
  }
  await answered(reader.readSummary());
}

/** What a by-id answer is made of. */
function expectAnswerable(set: ColumnSetView): void {
  expectWellFormed(set);
  const spans = encodeSpans(set, Int32Array.from(allRows(set)));
  try {
    mergeTrace([spans, spans], { maxBytes: 1 << 30 });
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
  }
}
