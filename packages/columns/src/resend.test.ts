import { encodeTraces } from '@vivace/otlp/testing';
import { expect, test } from 'vitest';
import { ColumnSet } from './column-set.ts';
import { Columnizer } from './columnize.ts';
import { compareResends } from './resend.ts';
import { encodeSpans } from './span-encoder.ts';

const LIMITS = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };

function request(id: number, name: string, keys: readonly string[]): Uint8Array {
  const event = {
    name: 'e',
    timeUnixNano: '1',
    attributes: keys.map((key) => ({ key, value: { stringValue: `${key} of an event` } })),
  };
  const span = {
    traceId: Buffer.alloc(16, 1),
    spanId: Buffer.alloc(8, id),
    name,
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
    events: [event, { ...event, name: 'f' }],
  };
  return encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
}

/** The two versions of a span as a column set encodes them in which keys came in that order before. */
function versions(first: readonly string[], names: readonly [string, string]) {
  return names.map((name) => {
    const set = new ColumnSet({ seed: 5, maxColumns: 100 });
    const columnizer = new Columnizer(set, LIMITS);
    columnizer.add(request(9, 'before', first));
    columnizer.add(request(1, name, ['x', 'y']));
    return encodeSpans(set.view(), Int32Array.of(1));
  });
}

test('which version of a span stays does not depend on the order in which keys of events were met', () => {
  const winners = new Set<boolean>();
  for (let i = 0; i < 40; i++) {
    const names: [string, string] = [`name ${i + 10}`, `name ${i + 60}`];
    const [a, b] = versions(['x', 'y'], names);
    const [c, d] = versions(['y', 'x'], names);
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('two versions');
    expect(Buffer.compare(a.bytes, c.bytes)).not.toBe(0);
    const wins = compareResends(a, 0, b, 0) > 0;
    winners.add(wins);
    for (const [left, right] of [
      [c, d],
      [a, d],
      [c, b],
    ] as const) {
      expect(compareResends(left, 0, right, 0) > 0).toBe(wins);
      expect(compareResends(right, 0, left, 0) > 0).toBe(!wins);
    }
  }
  expect(winners.size).toBe(2);
});
