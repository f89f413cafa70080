import { type BlockIndex, decodeIndex, indexSummary } from '@vivace/block';
import { groupChunks } from '@vivace/block/testing';
import { isKind } from '@vivace/kernel';
import { corpusBlocks, forgedIndex, sectionBytes } from '../block-corpus.ts';
import { expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';

/**
 * The index of a block, mostly with right checksums: a `data` error, or an index whose numbers agree with one
 * another.
 */
export function indexTarget(seed: number): FuzzTarget {
  const seeds = corpusBlocks(seed).map(({ bytes, place }) => sectionBytes(bytes, place.sections.index));
  return {
    keepBytes: 0,
    make(random) {
      const index = pick(random, seeds);
      return oneIn(random, 8) ? mutateBytes(random, index, pick(random, seeds)) : forgedIndex(random, index);
    },
    check(bytes) {
      let index: BlockIndex;
      try {
        index = decodeIndex(bytes);
      } catch (error) {
        if (!isKind(error, 'data')) throw error;
        return;
      }
      expectConsistent(index);
      tolerant(() => indexSummary(index));
      for (const table of [index.spans, index.events, index.resourceTable, index.traceTable]) {
        for (const [group, { length }] of table.groups.entries()) {
          tolerant(() => {
            for (const chunk of groupChunks(table, group)) {
              for (const { offset, bodyBytes } of chunk.pages) {
                expectThat(offset >= 0 && offset + bodyBytes <= length, 'a page lies outside of its row group');
              }
            }
          });
        }
      }
    },
  };
}

function expectConsistent(index: BlockIndex): void {
  const tables = { spans: index.rows, events: index.eventRows, traceTable: index.traces };
  for (const [name, rows] of Object.entries(tables)) {
    const { groups } = index[name as keyof typeof tables];
    const sum = groups.reduce((total, group) => total + group.rows, 0);
    expectThat(sum === rows, `the row groups of ${name} hold ${sum} of ${rows} rows`);
  }
  expectThat(index.traceGroups.length === index.spans.groups.length, 'row groups without traces');
  expectThat(index.events.groups.length === index.spans.groups.length, 'row groups of events are missing');
  for (const [i, step] of index.eventSteps.entries()) {
    expectThat(step >= (index.eventSteps[i - 1] ?? 0) && step <= index.eventRows, 'event rows do not ascend');
  }
  if (index.resources !== undefined)
    expectThat(index.resources.length === index.resourceCount, 'resources are missing');
}

function tolerant(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
  }
}
