import { expect, test } from 'vitest';
import { MemoryPool } from './memory-pool.ts';

test('memory that was given back is handed out again, all zero', () => {
  const pool = new MemoryPool(10_000);
  const first = pool.take(4096);
  new Uint8Array(first).fill(7);
  pool.give(first);
  expect(pool.bytes).toBe(4096);
  expect(pool.take(8192)).not.toBe(first);
  const again = pool.take(4096);
  expect(again).toBe(first);
  expect(new Uint8Array(again).every((byte) => byte === 0)).toBe(true);
  expect(pool.bytes).toBe(0);
  expect(pool.take(4096)).not.toBe(first);
});

test('no more is kept than the pool may hold, and nothing once it is cleared', () => {
  const pool = new MemoryPool(10_000);
  const buffers = [pool.take(4096), pool.take(4096), pool.take(4096)];
  for (const buffer of buffers) pool.give(buffer);
  expect(pool.bytes).toBe(8192);
  pool.clear();
  expect(pool.bytes).toBe(0);
  expect(buffers).not.toContain(pool.take(4096));
});
