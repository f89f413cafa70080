import { expect, test } from 'vitest';
import { type Ahead, ReadAhead } from './read-ahead.ts';

const MIB = 1024 * 1024;

function setup(sizes: readonly number[]) {
  const begun: number[] = [];
  const open = new Map<number, PromiseWithResolvers<Uint8Array>>();
  const sequence = sizes.map((bytes, i): Ahead => ({ number: i + 1, bytes }));
  const ahead = new ReadAhead(({ number }) => {
    begun.push(number);
    const answer = Promise.withResolvers<Uint8Array>();
    open.set(number, answer);
    return answer.promise;
  });
  const next = (number: number) => ahead.next(sequence.slice(number - 1));
  const answer = (number: number) => open.get(number)?.resolve(Uint8Array.of(number));
  const fail = (number: number) => open.get(number)?.reject(new Error(`no ${number}`));
  return { begun, next, answer, fail };
}

test('the next ones are read while the first is, each once', async () => {
  const { begun, next, answer } = setup(Array.from({ length: 20 }, () => 1000));
  const first = next(1);
  expect(begun).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  for (const number of begun.toReversed()) answer(number);
  expect(await first).toEqual(Uint8Array.of(1));
  expect(await next(2)).toEqual(Uint8Array.of(2));
  expect(begun.slice(16)).toEqual([17]);
});

test('at most 16 MiB are read ahead, and one that is larger alone', async () => {
  const { begun, next, answer } = setup([10 * MIB, 5 * MIB, 2 * MIB, 40 * MIB, 1]);
  const first = next(1);
  expect(begun).toEqual([1, 2]);
  answer(1);
  await first;
  void next(4);
  expect(begun).toEqual([1, 2, 4]);
});

test('what failed is read again when it is asked for again, and its neighbours are not', async () => {
  const { begun, next, answer, fail } = setup([1, 1, 1]);
  const first = next(1);
  fail(1);
  await expect(first).rejects.toThrow('no 1');
  const again = next(1);
  expect(begun).toEqual([1, 2, 3, 1]);
  answer(1);
  expect(await again).toEqual(Uint8Array.of(1));
  fail(2);
  await expect(next(2)).rejects.toThrow('no 2');
});

test('what is skipped is forgotten', async () => {
  const { begun, next, answer } = setup([1, 1, 1]);
  void next(1);
  answer(3);
  expect(await next(3)).toEqual(Uint8Array.of(3));
  void next(2);
  expect(begun).toEqual([1, 2, 3, 2, 3]);
});
