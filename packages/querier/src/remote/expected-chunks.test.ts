import type { BlockEntry } from '@vivace/manifest';
import { expect, test } from 'vitest';
import { ExpectedChunks } from './expected-chunks.ts';

const chunksOf = (...ids: string[]) => ids.map((id) => ({ id }) as BlockEntry);

test('chunks are expected again once two answers had the same', () => {
  const expected = new ExpectedChunks();
  const seen = [['a'], ['a'], ['a', 'b'], ['a', 'b'], ['a', 'b'], ['b', 'a'], [], []].map((ids) => {
    expected.note('t', chunksOf(...ids));
    return expected.of('t')?.length;
  });
  expect(seen).toEqual([undefined, 1, undefined, 2, 2, undefined, undefined, 0]);
  expect(expected.of('other')).toBeUndefined();
  expected.forget('t');
  expect(expected.of('t')).toBeUndefined();
});

test('tenants without a recent answer are forgotten, and so are long lists', () => {
  const expected = new ExpectedChunks();
  for (let tenant = 0; tenant <= 500; tenant++) {
    for (let i = 0; i < 2; i++) expected.note(`t${tenant}`, chunksOf('a'));
    expected.note('used', chunksOf('b'));
  }
  expect(['t0', 't1', 't2', 't500', 'used'].map((tenant) => expected.of(tenant)?.length)).toEqual([
    undefined,
    undefined,
    1,
    1,
    1,
  ]);
  const many = chunksOf(...Array.from({ length: 65 }, (_, i) => `${i}`));
  for (let i = 0; i < 2; i++) expected.note('used', many);
  expect(expected.of('used')).toBeUndefined();
});
