import { seededRandom } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { Rendezvous } from './index.ts';

const names = (count: number) => Array.from({ length: count }, (_, i) => `ingester-${i}.ingester:9095`);

function randomKeys(count: number): [number, number, number, number][] {
  const random = seededRandom(7);
  return Array.from({ length: count }, () => [random.u32() | 0, random.u32() | 0, random.u32() | 0, random.u32() | 0]);
}

/** As clients with poor randomness make them. */
function countedKeys(count: number): [number, number, number, number][] {
  return Array.from({ length: count }, (_, i) => [0, 0, 0, i]);
}

describe('rendezvous hashing', () => {
  test.each([2, 3, 10])('%i members get even shares of random and of counted keys', (count) => {
    const ring = new Rendezvous(names(count));
    for (const keys of [randomKeys(20_000), countedKeys(20_000)]) {
      const shares = Array.from({ length: count }, () => 0);
      for (const key of keys) shares[ring.choose(...key)] = (shares[ring.choose(...key)] as number) + 1;
      const even = keys.length / count;
      for (const share of shares) expect(Math.abs(share - even) / even).toBeLessThan(0.1);
    }
  });

  test('one that goes leaves only its own keys, and they are spread; one that comes takes its share from all', () => {
    const before = new Rendezvous(names(5));
    const after = new Rendezvous(names(4));
    const moved = new Map<string, number>();
    for (const key of randomKeys(20_000)) {
      const from = before.members[before.choose(...key)] as string;
      const to = after.members[after.choose(...key)] as string;
      if (from === to) continue;
      expect(from).toBe('ingester-4.ingester:9095');
      moved.set(to, (moved.get(to) ?? 0) + 1);
    }
    expect(moved.size).toBe(4);
    for (const count of moved.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('the order in which members are named, and twice, makes no difference', () => {
    const one = new Rendezvous(names(4));
    const other = new Rendezvous([...names(4).reverse(), ...names(2)]);
    expect(other.members).toEqual(one.members);
    for (const key of randomKeys(100)) expect(other.choose(...key)).toBe(one.choose(...key));
  });
});
