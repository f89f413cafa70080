import type { TestSpan } from '@vivace/block/testing';
import { seededRandom, VivaceError } from '@vivace/kernel';
import { blockKey } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { type ClassifyInput, plainClasses } from './classes.ts';
import { classify } from './classify.ts';
import type { Retention } from './retention.ts';
import { createShiftedClock } from './testing/shifted-clock.ts';
import { spanOf, traceIdOf } from './testing/spans.ts';
import { createStoredTenant } from './testing/stored-tenant.ts';

const DAY = 86_400_000;
const random = seededRandom(8);
const [A, B, C, D] = [0, 1, 2, 3].map(() => traceIdOf(random)) as [string, string, string, string];
const span = (trace: string, change: Partial<TestSpan> = {}): TestSpan => ({
  ...spanOf(random, trace, { startMs: 1_790_000_000_000 }),
  ...change,
});
const failed = { status: 2 };

/** The class of each trace when blocks of these classes and spans are merged. */
async function classesOf(
  retention: Retention,
  ...blocks: [retentionClass: string, spans: TestSpan[], damage?: (bytes: Uint8Array) => Uint8Array][]
) {
  const clock = createShiftedClock();
  const store = createMemoryStore({ clock });
  const tenant = createStoredTenant({ store, tenant: 'one', clock, random, rowGroupRows: 64 });
  const inputs: ClassifyInput[] = [];
  for (const [retentionClass, spans, damage] of blocks) {
    const entry = await tenant.addBlock(spans, { retentionClass });
    const readRange = async (object: string, offset: number, length: number) => {
      const { bytes } = await store.get(blockKey('one', entry.id, object), { range: { offset, length } });
      return damage !== undefined && object.startsWith('spans') ? damage(bytes) : bytes;
    };
    inputs.push({ place: entry, readRange });
  }
  const signal = new AbortController().signal;
  const { names, placeOf } =
    plainClasses(inputs, retention) ??
    (await classify({ inputs, retention, seed: 5, signal, breathe: async () => undefined }));
  const traces = [...new Set(blocks.flatMap(([, spans]) => spans.map(({ traceId }) => traceId)))].sort();
  return (trace: string) => names[placeOf(traces.indexOf(trace))];
}

const rule = (filter: string, keepMs: number) => ({ query: parse(filter), keepMs });
const LONG = `${(30 * DAY) / 1000}s`;
const SHORT = `${DAY / 1000}s`;
const errors: Retention = { keepMs: 7 * DAY, rules: [rule('{ status = error }', 30 * DAY)] };

test('without rules nothing is decided', async () => {
  const classOf = await classesOf({ keepMs: 7 * DAY, rules: [] }, ['', [span(A)]], ['', [span(B)]]);
  expect([classOf(A), classOf(B)]).toEqual(['', '']);
});

test('a trace is judged as it is in all blocks together', async () => {
  const both: Retention = { keepMs: 7 * DAY, rules: [rule('{ status = error } && { name = "other" }', 30 * DAY)] };
  const classOf = await classesOf(
    both,
    ['', [span(A, failed), span(B)]],
    ['', [span(A, { name: 'other' }), span(B, { name: 'other' })]],
  );
  expect([classOf(A), classOf(B)]).toEqual([LONG, 'default']);
});

test('what an earlier merge decided stays, and lifts the other parts of a trace', async () => {
  const classOf = await classesOf(errors, ['default', [span(A), span(B)]], [LONG, [span(B), span(C)]]);
  expect([classOf(A), classOf(B), classOf(C)]).toEqual(['default', LONG, LONG]);
});

test('new blocks are judged beside those that were', async () => {
  const classOf = await classesOf(
    errors,
    ['default', [span(A), span(B)]],
    ['', [span(B, failed), span(C, failed), span(D)]],
  );
  expect([A, B, C, D].map(classOf)).toEqual(['default', LONG, LONG, 'default']);
});

test('of several rules the longest counts, and one may be shorter than the default', async () => {
  const rules = [rule('{ name = "noise" }', DAY), rule('{ status = error }', 30 * DAY)];
  const classOf = await classesOf({ keepMs: 7 * DAY, rules }, [
    '',
    [span(A, { name: 'noise' }), span(B, { name: 'noise', status: 2 }), span(C, failed), span(D)],
  ]);
  expect([A, B, C, D].map(classOf)).toEqual([SHORT, LONG, LONG, 'default']);
});

test('a part that earned the default lifts one that earned less', async () => {
  const rules = [rule('{ name = "noise" }', DAY)];
  const classOf = await classesOf(
    { keepMs: 7 * DAY, rules },
    ['default', [span(A), span(B)]],
    [SHORT, [span(B), span(C)]],
    ['', [span(D)]],
  );
  expect([A, B, C, D].map(classOf)).toEqual(['default', 'default', SHORT, 'default']);
});

test('of two versions of a span the one counts that the merge keeps, also where only what no rule reads decides', async () => {
  const [a, b] = [span(A), span(B)];
  const longer = { name: 'a name that is longer' };
  const classOf = await classesOf(
    errors,
    [
      '',
      [
        { ...a, status: 2 },
        { ...b, status: 1 },
      ],
    ],
    [
      '',
      [
        { ...a, ...longer, status: 1 },
        { ...b, ...longer, status: 2 },
      ],
    ],
  );
  expect([classOf(A), classOf(B)]).toEqual(['default', LONG]);
});

test('rules that are gone change nothing of what they decided', async () => {
  const classOf = await classesOf({ keepMs: 7 * DAY, rules: [] }, ['', [span(A)]], [LONG, [span(B)]]);
  expect([classOf(A), classOf(B)]).toEqual(['default', LONG]);
});

test('damage says which block it is of; what the store fails with stays as it is', async () => {
  const damaged = classesOf(
    errors,
    ['', [span(A)]],
    ['', [span(B, failed)], (bytes) => bytes.map((byte) => byte ^ 255)],
  );
  await expect(damaged).rejects.toMatchObject({
    kind: 'data',
    message: expect.stringMatching(/ of block [0-9a-f-]{36}: /) as string,
  });
  const failing = classesOf(errors, [
    '',
    [span(A, failed)],
    () => {
      throw new VivaceError('unavailable', 'store-failed', 'down');
    },
  ]);
  await expect(failing).rejects.toMatchObject({ kind: 'unavailable', code: 'store-failed' });
});
