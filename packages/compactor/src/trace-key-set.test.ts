import { seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { TraceKeySet } from './trace-key-set.ts';

test('what was added is found, by id and by the eight bytes that blocks list', () => {
  const random = seededRandom(1);
  const set = new TraceKeySet(3);
  const ids = Array.from({ length: 5000 }, () => random.bytes(16));
  for (const id of ids) set.addId(id);
  for (const id of ids) set.addId(id);
  expect(set.size).toBe(5000);
  expect(ids.every((id) => set.hasId(id) && set.hasKey(id.subarray(0, 8), 0))).toBe(true);
  const others = Array.from({ length: 5000 }, () => random.bytes(16));
  expect(others.some((id) => set.hasId(id))).toBe(false);
});

test('ids that begin with zeros are told apart by their last eight bytes', () => {
  const set = new TraceKeySet(0);
  const short = (last: number) => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? last : 0));
  set.addId(short(1));
  expect([set.hasId(short(1)), set.hasId(short(2))]).toEqual([true, false]);
  set.addKeys(short(2).subarray(8));
  expect([set.hasId(short(2)), set.hasKey(short(2), 8), set.size]).toEqual([true, true, 2]);
});

test('many keys are added at once', () => {
  const set = new TraceKeySet(9);
  const keys = seededRandom(2).bytes(8 * 300);
  set.addKeys(keys);
  expect(set.size).toBe(300);
  expect(set.hasKey(keys, 8 * 299)).toBe(true);
});
