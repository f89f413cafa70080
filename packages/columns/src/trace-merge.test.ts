import { decodeTraces } from '@vivace/otlp/testing';
import { expect, test } from 'vitest';
import type { EncodedSpans } from './span-encoder.ts';
import { mergeTrace } from './trace-merge.ts';

/** One span as a source has it, with these ResourceSpans fields around it. */
function spanOf(resource: readonly number[], bytes: Uint8Array = new Uint8Array(0)): EncodedSpans {
  return {
    count: 1,
    bytes,
    offsets: Uint32Array.of(0, bytes.length),
    spanIds: new Uint8Array(8).fill(1),
    kinds: new Uint8Array(1),
    starts: new Uint32Array(2),
    ends: new Uint32Array(2),
    resource: new Int32Array(1),
    scope: new Int32Array(1),
    resources: [Uint8Array.from(resource)],
    scopes: [new Uint8Array(0)],
  };
}

test('a resource gets a service name only when it has no attribute, also where its tags are longer than they need be', () => {
  const merged = (resource: number[]) => decodeTraces(mergeTrace([spanOf(resource)], { maxBytes: 1000 }).bytes);
  const unknown = { key: 'service.name', value: { stringValue: 'unknown_service' } };
  expect(merged([0x0a, 0])).toMatchObject({ resourceSpans: [{ resource: { attributes: [unknown] } }] });
  const attribute = [0x8a, 0x00, 3, 0x0a, 1, 0x6b];
  expect(merged([0x8a, 0x80, 0x00, attribute.length, ...attribute])).toMatchObject({
    resourceSpans: [{ resource: { attributes: [{ key: 'k' }] } }],
  });
});

test.each([
  ['a tag', [0x0a, 0, 0x8a]],
  ['a length', [0x0a, 0x80]],
  ['bytes', [0x0a, 5, 1]],
  ['a varint', [0x10, 0x80]],
  ['a fixed-size field', [0x11, 1, 2]],
])('a stored message that ends within %s is a data error and never hangs', (_, message) => {
  const bytes = Uint8Array.from(message);
  const error = expect.objectContaining({ kind: 'data' });
  expect(() => mergeTrace([spanOf(message)], { maxBytes: 1000 })).toThrow(error);
  // Equal spans of two sources are told apart by their fields.
  const parts = [spanOf([], bytes), spanOf([], bytes.slice())];
  expect(() => mergeTrace(parts, { maxBytes: 1000 })).toThrow(error);
});

test('resources count towards the limit of an answer', () => {
  const huge = [0x0a, 0x85, 0x08, 0x0a, 0x82, 0x08, 0x0a, 0xff, 0x07, ...Array<number>(1023).fill(0x6b)];
  const later = { ...spanOf(huge), spanIds: new Uint8Array(8).fill(2), starts: Uint32Array.of(1, 0) };
  const all = mergeTrace([spanOf(huge), later], { maxBytes: 3000 });
  expect(all).toMatchObject({ spanCount: 2, truncated: false });
  expect(mergeTrace([spanOf(huge), later], { maxBytes: 1500 })).toMatchObject({ spanCount: 1, truncated: true });
});
