import { bytesToHex } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ColumnSet } from './column-set.ts';
import { Columnizer } from './columnize.ts';
import { sortedRows } from './sort.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const smallId = (length: number) =>
  fc.oneof(
    bytes(length),
    fc.tuple(fc.nat(2), fc.nat(2)).map(([a, b]) =>
      new Uint8Array(length)
        .fill(1)
        .with(0, a)
        .with(length - 1, b),
    ),
  );
const span = fc.record({
  traceId: smallId(16),
  spanId: smallId(8),
  kind: fc.nat(3),
  startTimeUnixNano: fc.oneof(fc.nat(3).map(String), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String)),
});

it('rows come in the order of trace id, start, span id and kind', () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 60 }), (spans) => {
      const set = new ColumnSet({ seed: 5, maxColumns: 10 });
      new Columnizer(set, { maxAttributeBytes: 1000, maxTraceBytes: 1e9 }).add(
        encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
      );
      const view = set.view();
      const ids = new Uint8Array(view.spanId.buffer, view.spanId.byteOffset);
      const keyOf = (row: number) => {
        const trace = view.trace[row] as number;
        const start = (BigInt(view.start[row * 2 + 1] as number) << 32n) | BigInt(view.start[row * 2] as number);
        return [
          bytesToHex(view.traceIds.slice(trace * 16, trace * 16 + 16)),
          start.toString().padStart(20, '0'),
          bytesToHex(ids.slice(row * 8, row * 8 + 8)),
          view.kind[row],
        ].join(' ');
      };
      const live = Array.from({ length: set.count }, (_, row) => row).filter((row) => view.dead[row] === 0);
      const keys = [...sortedRows(view)].map(keyOf);
      expect(keys).toEqual(live.map(keyOf).sort());
      expect(new Set(keys).size).toBe(keys.length);
      const classes = Uint8Array.from({ length: set.count }, (_, row) => row % 2);
      const halves = [0, 1].map((value) => [...sortedRows(view, { classes, value })]);
      expect(halves.flat().sort((a, b) => a - b)).toEqual(live);
      expect(halves[1]?.every((row) => row % 2 === 1)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
