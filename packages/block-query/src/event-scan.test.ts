import { Columnizer, ColumnSet } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { search } from './search.ts';
import { headSource } from './source.ts';

const options = { signal: new AbortController().signal, breathe: async () => undefined };

/** A field of one byte of tag and of length. */
function field(tag: number, content: Uint8Array): Uint8Array {
  expect(content.length).toBeLessThan(128);
  return concatBytes([Uint8Array.of(tag, content.length), content]);
}

test.each(['{ event.a = "x" }', '{ event:name = "e" }', '{ .a = "x" }', '{ link:spanID != "0000000000000001" }'])(
  '%s is asked of events and of links apart, though what no column holds lies side by side',
  async (query) => {
    const traceId = new Uint8Array(16).fill(1);
    const spanId = new Uint8Array(8).fill(2);
    const event = { name: 'e', timeUnixNano: '1', attributes: [{ key: 'a', value: { stringValue: 'x' } }] };
    const span = { traceId, spanId, name: 's', startTimeUnixNano: '1', endTimeUnixNano: '2', events: [event] };
    const request = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    // A link whose trace state is not UTF-8: of an event the same field would be an attribute.
    const link = concatBytes([field(0x0a, traceId), field(0x12, spanId), field(0x1a, Uint8Array.of(0xff, 0xff))]);
    const ids = concatBytes([field(0x0a, traceId), field(0x12, new Uint8Array(8).fill(3))]);
    const linking = field(0x0a, field(0x12, field(0x12, concatBytes([ids, field(0x6a, link)]))));
    const set = new ColumnSet({ seed: 3, maxColumns: 10 });
    const columnizer = new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 20 });
    for (const bytes of [request, linking]) expect(columnizer.add(bytes)).toMatchObject({ accepted: 1 });
    const { traces } = await search(
      [headSource('head', set.view())],
      {
        query: parse(query),
        startUnixNano: undefined,
        endUnixNano: undefined,
        limit: 10,
        spansPerSpanset: 10,
        after: undefined,
      },
      options,
    );
    expect(traces.map(({ spansets }) => spansets.map(({ matched }) => matched))).toEqual([[1]]);
  },
);
