import { Rendezvous } from '@vivace/cluster';
import { decodeTraces, encodeTraces, type PlainTraces, tracesArbitrary } from '@vivace/otlp/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestSlicer } from './request-slicer.ts';
import type { Slice } from './slice.ts';

const RING = new Rendezvous(['a:1', 'b:1', 'c:1']);

interface Scope {
  spans?: { traceId?: Uint8Array }[];
}

interface Resource {
  scopeSpans?: Scope[];
}

function bytesOf(slice: Slice): Uint8Array {
  const bytes = new Uint8Array(slice.length + 3);
  slice.copyTo(bytes, 2);
  // Nothing is written beside it.
  expect([bytes[0], bytes[1], bytes[slice.length + 2]]).toEqual([0, 0, 0]);
  return bytes.slice(2, slice.length + 2);
}

function resourcesOf(traces: PlainTraces): Resource[] {
  return (traces as { resourceSpans?: Resource[] }).resourceSpans ?? [];
}

/** Each span with the resource and the scope that it is below, as text. */
function spansOf(bytes: Uint8Array): string[] {
  return resourcesOf(decodeTraces(bytes)).flatMap(({ scopeSpans = [], ...resource }) =>
    scopeSpans.flatMap(({ spans = [], ...scope }) => spans.map((span) => JSON.stringify([resource, scope, span]))),
  );
}

const slicesOf = (bytes: Uint8Array, ring = RING) => new RequestSlicer().slice('t', bytes, ring);

describe('slicing a request', () => {
  test('every span is in one slice, below its resource and scope; all of a trace are in the same', () => {
    fc.assert(
      fc.property(tracesArbitrary, (traces) => {
        const request = encodeTraces(traces);
        const slices = slicesOf(request);
        const parts = slices.map((slice) => bytesOf(slice));
        expect(parts.flatMap((part) => spansOf(part)).sort()).toEqual(spansOf(request).sort());
        slices.forEach(({ spans }, i) => expect(spans).toBe(spansOf(parts[i] as Uint8Array).length));
        // Sliced again by the same members, a slice is itself.
        slices.forEach((slice, i) => {
          const again = slicesOf(parts[i] as Uint8Array);
          expect(again.map(({ member }) => member)).toEqual([slice.member]);
          expect(Buffer.compare(bytesOf(again[0] as Slice), parts[i] as Uint8Array)).toBe(0);
        });
      }),
    );
  });

  test('a trace is never split, and many traces go to all members', () => {
    const spans = Array.from({ length: 900 }, (_, i) => ({
      traceId: Buffer.from(`e${(i % 300).toString(16).padStart(31, '0')}`, 'hex'),
      spanId: Buffer.from(i.toString(16).padStart(16, '0'), 'hex'),
    }));
    const slices = slicesOf(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(slices.map(({ member }) => member)).toEqual(['a:1', 'b:1', 'c:1']);
    const owners = new Map<string, string>();
    for (const slice of slices) {
      expect(slice.spans).toBeGreaterThan(200);
      for (const { traceId } of resourcesOf(decodeTraces(bytesOf(slice))).flatMap(
        ({ scopeSpans }) => scopeSpans?.[0]?.spans ?? [],
      )) {
        const id = Buffer.from(traceId as Uint8Array).toString('hex');
        expect(owners.get(id) ?? slice.member).toBe(slice.member);
        owners.set(id, slice.member);
      }
    }
    expect(owners.size).toBe(300);
  });

  test('for one member the request is handed on as it is, whatever it is', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const [slice] = slicesOf(bytes, new Rendezvous(['a:1']));
    expect([...bytesOf(slice as Slice)]).toEqual([1, 2, 3]);
  });

  test('a request without spans has no slices', () => {
    expect(slicesOf(new Uint8Array(0))).toEqual([]);
    expect(slicesOf(encodeTraces({ resourceSpans: [{ scopeSpans: [{ scope: { name: 'x' } }] }] }))).toEqual([]);
  });

  test('spans without a sound trace id are in a slice too: it is said of them why they are refused', () => {
    const spans = [{ name: 'none' }, { traceId: new Uint8Array(3), name: 'short' }];
    const slices = slicesOf(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(slices.reduce((sum, slice) => sum + slice.spans, 0)).toBe(2);
  });

  test('what is cut off or flipped is refused as data, or sliced within its bounds', () => {
    const spans = Array.from({ length: 4 }, (_, i) => ({ traceId: new Uint8Array(16).fill(i + 1), name: 'n' }));
    const request = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans, schemaUrl: 'x' }], schemaUrl: 'y' }] });
    for (let at = 0; at < request.length; at++) {
      const flipped = new Uint8Array(request);
      flipped[at] = (flipped[at] as number) ^ 0x90;
      for (const bytes of [request.slice(0, at), flipped]) {
        try {
          for (const slice of slicesOf(bytes)) expect(slice.length).toBeLessThanOrEqual(4 * bytes.length);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'data', code: 'otlp-malformed' });
        }
      }
    }
  });

  test('a tag that ingesters would refuse is refused, wherever it is', () => {
    const tag = [0x9a, 0x80, 0x80, 0x80, 0x80, 1, 0];
    const inSpan = [0x12, tag.length, ...tag];
    const inScope = [0x12, inSpan.length, ...inSpan];
    const nested = [[0x12, tag.length, ...tag], inScope];
    for (const bytes of [tag, ...[tag, ...nested].map((inner) => [0x0a, inner.length, ...inner])]) {
      expect(() => slicesOf(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'otlp-malformed' }));
    }
  });
});
