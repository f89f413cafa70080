import { seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { expect, test } from 'vitest';
import { EntryBook, EntryShelf } from './entry-book.ts';

const random = seededRandom(1);
const entries = (count: number): BlockEntry[] =>
  Array.from({ length: count }, (_, i) => ({ id: uuidV7(1_760_000_000_000 + i, random), rows: i }) as BlockEntry);

test('entries are sent once, and come out as they went in', () => {
  const [book, shelf, all] = [new EntryBook(), new EntryShelf(), entries(50)];
  const some = book.pack(all.slice(10, 20));
  expect(some.fresh).toHaveLength(10);
  expect(shelf.unpack(some)).toEqual(all.slice(10, 20));
  const more = book.pack(all);
  expect(more.fresh).toHaveLength(40);
  expect(shelf.unpack(more)).toEqual(all);
  const again = book.pack(all.slice(5).reverse());
  expect(again.fresh).toEqual([]);
  expect(shelf.unpack(again)).toEqual(all.slice(5).reverse());
  expect(shelf.unpack(book.pack([]))).toEqual([]);
});

test('a thread keeps no more entries than it may, and nothing is missing after it forgot', () => {
  const [book, shelf] = [new EntryBook(), new EntryShelf()];
  for (let round = 0; round < 4; round++) {
    const all = entries(40_000);
    const sent = book.pack(all);
    expect(sent.forget).toBe(round === 2);
    expect(shelf.unpack(sent)).toEqual(all);
    expect(shelf.unpack(book.pack(all.slice(0, 3)))).toEqual(all.slice(0, 3));
  }
});
