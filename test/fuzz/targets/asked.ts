import { isDeepStrictEqual } from 'node:util';
import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, storeBlock } from '@vivace/block/testing';
import { blockSource, headSource } from '@vivace/block-query';
import { Columnizer, ColumnSet } from '@vivace/columns';
import { concatBytes, isKind } from '@vivace/kernel';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { mutateProtobuf } from '../mutate-protobuf.ts';
import { createQuestions, type Outcome, outcome, type Question } from '../questions.ts';
import { encodedTraces } from '../seeds.ts';

const limits = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };

/**
 * Whatever an ExportTraceServiceRequest that was taken leaves in a head can be asked for, and gives the same answer when
 * the head is a block. The first byte of an input says which question is asked.
 */
export function askedTarget(seed: number): FuzzTarget {
  const seeds = encodedTraces(seed);
  const questions = createQuestions(seed, 'no names');
  return {
    keepBytes: 1,
    make(random) {
      const request = pick(random, seeds);
      const other = pick(random, seeds);
      const mutated = oneIn(random, 4) ? mutateBytes(random, request, other) : mutateProtobuf(random, request, other);
      return concatBytes([Uint8Array.of(below(random, questions.length)), mutated]);
    },
    async check(input) {
      const ask = questions[input[0] as number] as Question;
      // Few columns send attributes down the path of those without one.
      const set = new ColumnSet({ seed: 7, maxColumns: input.length % 3 === 0 ? 4 : 1000 });
      try {
        if (new Columnizer(set, limits).add(input.subarray(1)).accepted === 0) return;
      } catch (error) {
        if (!isKind(error, 'data')) throw error;
        return;
      }
      const view = set.view();
      const { place, readRange } = storeBlock(encodeBlock(view, blockOrder(view)));
      const block = openBlock({ place, readRange, cache: createBlockCache({ maxBytes: 1 << 24 }) });
      const ofHead = await outcome(ask(headSource('head', view)));
      const ofBlock = await outcome(ask(blockSource(block)));
      expectThat(ofHead !== 'unreadable', 'a head cannot be read');
      expectThat(ofBlock !== 'unreadable', 'a block cannot be read');
      expectThat(
        isDeepStrictEqual(withoutWork(ofHead), withoutWork(ofBlock)),
        'a block answers otherwise than the head that it was',
      );
    },
  };
}

/** An answer without what it took to find it. */
function withoutWork(answer: Outcome): unknown {
  return typeof answer === 'string' ? answer : { ...answer, inspectedSpans: 0, inspectedTraces: 0 };
}
