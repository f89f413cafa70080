import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPageArena } from './page-arena.ts';

describe('the arena of inflated pages', () => {
  test('gives back what was written into a page', () => {
    const arena = createPageArena({ maxBytes: 256, slabBytes: 128 });
    arena.reserve('a', 30)?.fill(1);
    arena.reserve('b', 32)?.fill(2);
    expect(arena.get('a')).toEqual(new Uint8Array(30).fill(1));
    expect(arena.get('b')).toEqual(new Uint8Array(32).fill(2));
    expect(arena.get('c')).toBeUndefined();
  });

  test('has no room for a page of more than a quarter of a slab, and none at all below the size of a slab', () => {
    expect(createPageArena({ maxBytes: 256, slabBytes: 128 }).reserve('a', 33)).toBeUndefined();
    expect(createPageArena({ maxBytes: 127, slabBytes: 128 }).reserve('a', 1)).toBeUndefined();
  });

  test('forgets what could not be filled', () => {
    const arena = createPageArena({ maxBytes: 256, slabBytes: 128 });
    arena.reserve('a', 30);
    arena.forget('a');
    expect(arena.get('a')).toBeUndefined();
  });

  test('never gives one page the bytes of another, and drops the oldest first', () => {
    const writes = fc.array(
      fc.record({ key: fc.nat(20), length: fc.integer({ min: 1, max: 32 }), value: fc.nat(255) }),
    );
    fc.assert(
      fc.property(writes, (all) => {
        const arena = createPageArena({ maxBytes: 300, slabBytes: 128 });
        const written = new Map<string, { length: number; value: number }>();
        for (const { key, length, value } of all) {
          arena.reserve(String(key), length)?.fill(value);
          written.set(String(key), { length, value });
          expect(arena.get(String(key))).toEqual(new Uint8Array(length).fill(value));
          for (const [known, page] of written) {
            const kept = arena.get(known);
            if (kept === undefined) written.delete(known);
            else expect(kept).toEqual(new Uint8Array(page.length).fill(page.value));
          }
        }
        const bytes = [...written.values()].reduce((sum, { length }) => sum + length, 0);
        expect(bytes).toBeLessThanOrEqual(256);
      }),
    );
  });
});
