import { seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { SpanTable } from './span-table.ts';

const ROWS = 5000;

/** Rows of which many have the identity of another, near and far, and some are dead. */
function rows(seed: number) {
  const random = seededRandom(seed);
  const set = {
    trace: new Int32Array(ROWS),
    spanId: new Int32Array(2 * ROWS),
    start: new Uint32Array(2 * ROWS),
    kind: new Uint8Array(ROWS),
    dead: new Uint8Array(ROWS),
  };
  for (let row = 0; row < ROWS; row++) {
    const copied = row > 0 && random.u32() % 3 === 0 ? random.u32() % row : -1;
    set.trace[row] = copied < 0 ? random.u32() % 50 : (set.trace[copied] as number);
    set.kind[row] = copied < 0 ? random.u32() % 6 : (set.kind[copied] as number);
    for (let half = row * 2; half < row * 2 + 2; half++) {
      const from = copied * 2 + (half & 1);
      set.spanId[half] = copied < 0 ? random.u32() % 40 : (set.spanId[from] as number);
      set.start[half] = copied < 0 ? random.u32() % 3 : (set.start[from] as number);
    }
    set.dead[row] = random.u32() % 10 === 0 ? 1 : 0;
  }
  return set;
}

test('rows entered in groups of any size are those that a map of identities takes', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const set = rows(seed);
    const identity = (row: number) =>
      [
        set.trace[row],
        set.spanId[2 * row],
        set.spanId[2 * row + 1],
        set.start[2 * row],
        set.start[2 * row + 1],
        set.kind[row],
      ].join();
    const table = new SpanTable(seed);
    const first = new Map<string, number>();
    const expected: number[] = [];
    const known: number[] = [];
    for (let from = 0; from < ROWS; ) {
      const to = Math.min(ROWS, from + (random.u32() % 700));
      known.push(...table.enter(set, from, to));
      for (let row = from; row < to; row++) {
        if (set.dead[row] === 1) continue;
        if (first.has(identity(row))) expected.push(row);
        else first.set(identity(row), row);
      }
      from = to;
    }
    expect(known).toEqual(expected);
    expect(known.length).toBeGreaterThan(ROWS / 5);
    for (const row of known) expect(table.holder(set, row)).toBe(first.get(identity(row)));
    const last = known.at(-1) as number;
    table.replace(set, last);
    expect(table.holder(set, first.get(identity(last)) as number)).toBe(last);
  }
});
