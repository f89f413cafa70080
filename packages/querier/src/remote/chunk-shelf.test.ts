import { expect, test } from 'vitest';
import { ChunkShelf } from './chunk-shelf.ts';

const WHOLE = { offset: 0, length: 10 };

function chunk(): Uint8Array {
  return new Uint8Array(10);
}

test('what is used last stays within the bytes, and what is held stays beyond them', () => {
  const shelf = new ChunkShelf(20);
  for (const id of ['a', 'b', 'c']) shelf.put('one', id, chunk());
  const releaseAll = shelf.holdNamed('one', new Set(['a', 'b', 'c']));
  expect(shelf.bytes).toBe(30);
  const release = shelf.holdNamed('one', new Set(['a', 'b', 'c']));
  releaseAll();
  expect(shelf.bytes).toBe(30);
  release();
  release();
  expect(shelf.bytes).toBe(20);
  expect(shelf.read('a', WHOLE)).toBeUndefined();
  expect(shelf.read('c', WHOLE)).toHaveLength(10);
});

test('what its owner does not name any more goes when nobody holds it', () => {
  const shelf = new ChunkShelf(100);
  shelf.put('one', 'a', chunk());
  shelf.put('one', 'b', chunk());
  shelf.put('two', 'c', chunk());
  const before = shelf.holdOwned('one', 10);
  expect(before.ids).toEqual(['a', 'b']);
  const after = shelf.holdNamed('one', new Set(['b']));
  expect(shelf.read('a', WHOLE)).toBeDefined();
  before.release();
  expect(shelf.read('a', WHOLE)).toBeUndefined();
  after();
  expect(shelf.bytes).toBe(20);
  expect(shelf.holdOwned('two', 10).ids).toEqual(['c']);
});
