import { createBlockCache, encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import type { MetricsResult, Question, SearchResult, TagsResult, TagValuesResult } from '@vivace/block-query';
import { seededRandom, systemClock, uuidV7, VivaceError } from '@vivace/kernel';
import { type BlockEntry, blockKey } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { parse, parseField } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import { answerJob, type JobOptions } from './answer-job.ts';
import { createBlockReads } from './block-reads.ts';
import type { QueryJob } from './query-job.ts';

// Jobs over real blocks in a store: what cannot be read of one is left out of the answer, and told.

const TENANT = 'shop';
const BASE = 1_760_000_000_000_000_000n;
const SECOND = 1_000_000_000n;
const random = seededRandom(5);
const range = { startUnixNano: BASE - SECOND, endUnixNano: BASE + 100n * SECOND };

/** Spans of two traces; those of trace 9 are in every set. */
function spansOf(number: number): TestSpan[] {
  return [number, 9].map((trace) => ({
    traceId: `${trace}`.padStart(32, '0'),
    spanId: `${10 * number + trace + 1}`.padStart(16, '0'),
    start: BASE + BigInt(trace) * SECOND,
    end: BASE + BigInt(trace) * SECOND + 1000n,
    name: `op ${number}`,
    attributes: [
      [`key.${number}`, `value ${number}`],
      ['common', `in ${number}`],
    ],
  }));
}

/** A store with blocks of several objects each, and reads that have nothing in their cache. */
async function storedBlocks(count: number) {
  const store = createMemoryStore({ clock: systemClock });
  const entries: BlockEntry[] = [];
  for (let number = 0; number < count; number++) {
    const set = buildSet(spansOf(number));
    const { objects, sections } = layoutObjects(encodeBlock(set, blockOrder(set), {}), 0);
    const id = uuidV7(1_760_000_000_000 + number, random);
    for (const { name, parts } of objects) await store.put(blockKey(TENANT, id, name), parts);
    entries.push({
      id,
      sections,
      rows: 2,
      traces: 2,
      minStart: BASE + BigInt(number) * SECOND,
      maxEnd: BASE + 9n * SECOND + 1000n,
      commitTimeMs: 1_760_000_000_000,
      level: 0,
      retentionClass: '',
      filterBytes: sections.filter.length,
      applied: 0,
    });
  }
  let failure: Error | undefined;
  const failWith = (error: Error) => {
    failure = error;
  };
  const answer = (
    question: Question,
    job: Partial<QueryJob> = {},
    signal = new AbortController().signal,
    located?: JobOptions['located'],
  ) => {
    const reads = createBlockReads({
      cache: createBlockCache({ maxBytes: 1 << 22 }),
      seed: 1,
      ask: async ({ tenant, block, object, range: bytes }) => {
        if (failure !== undefined) throw failure;
        return (await store.get(blockKey(tenant, block, object), { range: bytes })).bytes;
      },
    });
    const whole = { number: 1, tenant: TENANT, entries, unread: undefined, heads: [], chunks: 0, question, ...job };
    return answerJob(whole, reads, { signal, breathe: async () => undefined, located });
  };
  return { store, entries, answer, failWith };
}

async function removeObject(store: ObjectStore, entry: BlockEntry, section: keyof BlockEntry['sections']) {
  await store.delete(blockKey(TENANT, entry.id, entry.sections[section].object));
}

/** Turns around every byte of the pages of a section; its place and length stay. */
async function damage(store: ObjectStore, entry: BlockEntry, section: keyof BlockEntry['sections']) {
  const { object, offset, length } = entry.sections[section];
  const key = blockKey(TENANT, entry.id, object);
  const bytes = (await store.get(key)).bytes.slice();
  for (let at = offset; at < offset + length; at++) bytes[at] = (bytes[at] as number) ^ 0xff;
  await store.put(key, [bytes]);
}

const search = (q: string): Question => ({
  kind: 'search',
  request: { query: parse(q), ...range, limit: 20, spansPerSpanset: 0, after: undefined },
});
const QUESTIONS: {
  question: Question;
  found: (result: unknown) => unknown;
  expected: (blocks: number[]) => unknown;
}[] = [
  {
    question: search('{ name =~ "op.*" }'),
    // Trace 9 has a span in each block, the others one in all.
    found: (result) =>
      (result as SearchResult).traces.map(({ traceId, spansets }) => [traceId[15], spansets[0]?.matched]),
    expected: (blocks) => [[9, blocks.length], ...[...blocks].reverse().map((number) => [number, 1])],
  },
  {
    question: {
      kind: 'metrics',
      request: {
        query: parse('{} | count_over_time()'),
        startUnixNano: BASE - SECOND,
        endUnixNano: BASE + 99n * SECOND,
        stepNanos: 100n * SECOND,
        exemplars: 0,
        maxSeries: 0,
      },
    },
    found: (result) => (result as MetricsResult).series[0]?.samples.map(({ value }) => value),
    expected: (blocks) => [2 * blocks.length],
  },
  {
    question: { kind: 'tags', request: { scope: 'span', filter: undefined, limit: 0 } },
    found: (result) => (result as TagsResult).scopes[0]?.tags,
    expected: (blocks) => ['common', ...blocks.map((number) => `key.${number}`)],
  },
  {
    question: {
      kind: 'tagValues',
      request: { field: parseField('span.common'), filter: undefined, limit: 0 },
    },
    found: (result) => (result as TagValuesResult).values.map((one) => 'value' in one && one.value),
    expected: (blocks) => blocks.map((number) => `in ${number}`),
  },
];

describe.each(QUESTIONS)('a question of kind $question.kind', ({ question, found, expected }) => {
  test('is answered from all blocks, and counts the bytes that it read', async () => {
    const { answer } = await storedBlocks(3);
    const whole = await answer(question);
    expect(found(whole.result)).toEqual(expected([0, 1, 2]));
    expect(whole).toMatchObject({ missing: [], problems: [] });
    expect(whole.inspectedBytes).toBeGreaterThan(100);
  });

  test('leaves out a block whose bytes are not what they were, and names it', async () => {
    const { store, entries, answer } = await storedBlocks(3);
    const damaged = entries[1] as BlockEntry;
    for (const section of ['index', 'spans'] as const) await damage(store, damaged, section);
    const rest = await answer(question);
    expect(found(rest.result)).toEqual(expected([0, 2]));
    expect(rest.problems).toEqual([expect.stringContaining(`block ${damaged.id} cannot be read: `)]);
    expect(rest.damaged).toEqual([damaged.id]);
    expect(rest.missing).toEqual([]);
  });

  test('leaves out a block that is gone, so that the list of blocks is asked for anew', async () => {
    const { store, entries, answer } = await storedBlocks(3);
    const [gone] = entries as [BlockEntry];
    for (const section of Object.keys(gone.sections) as (keyof BlockEntry['sections'])[]) {
      await removeObject(store, gone, section);
    }
    const rest = await answer(question);
    expect(found(rest.result)).toEqual(expected([1, 2]));
    expect(rest).toMatchObject({ missing: [gone.id], problems: [] });
  });

  test('has an answer, of nothing, where no block can be read', async () => {
    const { store, entries, answer } = await storedBlocks(3);
    for (const entry of entries) await damage(store, entry, 'index');
    const rest = await answer(question);
    expect(rest.problems).toHaveLength(3);
    expect(rest.missing).toEqual([]);
  });
});

test('which blocks have the traces is asked once for all of them, and of rows of heads not at all', async () => {
  const { entries, answer } = await storedBlocks(3);
  const [first, second, third] = entries as [BlockEntry, BlockEntry, BlockEntry];
  const asked: number[][] = [];
  const found = async (job: Partial<QueryJob>) => {
    const { result } = await answer(search('{ span.common = "in 0" }'), job, undefined, async (traceIds) => {
      asked.push(traceIds.map((id) => id[15] as number));
      return traceIds.map((id) => (id[15] === 9 ? [first, third] : [first]));
    });
    // Spans of the whole trace, also where only one of them was looked for.
    return (result as SearchResult).traces.map(({ traceId, services }) => {
      return [traceId[15], [...services.values()].reduce((sum, { spanCount }) => sum + spanCount, 0)];
    });
  };
  const expected = [
    [9, 3],
    [0, 1],
  ];
  expect(await found({ entries: [second, first, third], chunks: 1 })).toEqual(expected);
  expect(asked.map((ids) => ids.sort((a, b) => a - b))).toEqual([[0, 9]]);
  expect(await found({ entries: [second, third, first], chunks: 2 })).toEqual(expected);
  expect(asked).toHaveLength(1);
});

test('heads are answered with what the blocks have, as one', async () => {
  const { answer } = await storedBlocks(2);
  const heads = [{ id: 'head-1', view: buildSet(spansOf(2)) }];
  const { result } = await answer(search('{ span.common = "in 0" } && { span.common = "in 2" }'), { heads });
  expect((result as SearchResult).traces.map(({ traceId, spansets }) => [traceId[15], spansets[0]?.matched])).toEqual([
    [9, 2],
  ]);
});

test('a damaged page of spans is met only by what needs it', async () => {
  const { store, entries, answer } = await storedBlocks(2);
  await damage(store, entries[0] as BlockEntry, 'spans');
  const [searched, tags] = await Promise.all([
    answer(search('{ name = "op 0" }')),
    answer({ kind: 'tags', request: { scope: 'span', filter: undefined, limit: 0 } }),
  ]);
  expect(searched.problems).toHaveLength(1);
  expect((searched.result as SearchResult).traces).toEqual([]);
  expect(tags.problems).toEqual([]);
  expect((tags.result as TagsResult).scopes[0]?.tags).toContain('key.0');
});

test('a store that fails is told with its own words', async () => {
  const { entries, answer, failWith } = await storedBlocks(1);
  failWith(new VivaceError('unavailable', 'store-timeout', 'the store does not answer'));
  const { missing, problems } = await answer(search('{}'));
  expect(missing).toEqual([]);
  expect(problems).toEqual([`block ${entries[0]?.id} cannot be read: the store does not answer`]);
});

test('a query that nobody waits for is rejected with the reason, and no block is blamed', async () => {
  const { answer } = await storedBlocks(2);
  await expect(answer(search('{}'), {}, AbortSignal.abort(new Error('nobody waits')))).rejects.toThrow('nobody waits');
});
