import { type ErrorKind, type PooledBuffer, VivaceError } from '@vivace/kernel';
import type { PushResult, TraceSink } from '@vivace/otlp';
import { createRecordingSink, encodeTraces } from '@vivace/otlp/testing';
import { describe, expect, test } from 'vitest';

const KINDS: ErrorKind[] = ['invalid', 'data', 'limited', 'unavailable', 'internal', 'unauthorized', 'conflict'];

/** What a way to a sink must keep, be it none at all or one through another process. `make` gives a way to `inner`. */
export function describeTraceSink(name: string, make: (inner: TraceSink) => Promise<TraceSink>): void {
  describe(`pushes ${name}`, () => {
    test('arrive as they were, for their tenant, and the result comes back', async () => {
      const inner = createRecordingSink();
      const sink = await make(inner);
      const result: PushResult = { acceptedSpans: 7, rejectedSpans: 2, firstReason: 'né: too long' };
      inner.answer = async () => result;
      const traces = someTraces(3);
      expect(await push(sink, "Shop!*'()", traces)).toEqual(result);
      expect(inner.pushes.map(({ tenant, bytes }) => [tenant, Buffer.compare(bytes, traces)])).toEqual([
        ["Shop!*'()", 0],
      ]);
      inner.answer = async () => ({ acceptedSpans: 0, rejectedSpans: 0 });
      expect(await push(sink, 'a', someTraces(1))).toEqual({ acceptedSpans: 0, rejectedSpans: 0 });
    });

    test.each(KINDS)('that are refused as %s are refused with the same words', async (kind) => {
      const inner = createRecordingSink();
      const sink = await make(inner);
      for (const details of [{}, { retryAfterMs: 1250 }]) {
        const error = new VivaceError(kind, 'the-code', 'what happened: 7', details);
        inner.answer = () => Promise.reject(error);
        const got = await push(sink, 'a', someTraces(1)).catch((thrown: unknown) => thrown as VivaceError);
        expect(got).toBeInstanceOf(VivaceError);
        const { code, message, retryAfterMs } = got as VivaceError;
        expect({ kind: (got as VivaceError).kind, code, message, retryAfterMs }).toEqual({
          kind,
          code: 'the-code',
          message: 'what happened: 7',
          retryAfterMs: details.retryAfterMs,
        });
      }
    });

    test('many at once each get their own answer, and one that fails keeps no other from its', async () => {
      const inner: TraceSink = {
        push: async (tenant, { bytes }) => {
          if (tenant === 't13') throw new VivaceError('invalid', 'unlucky', 'thirteen');
          return { acceptedSpans: bytes.length, rejectedSpans: Number(tenant.slice(1)) };
        },
      };
      const sink = await make(inner);
      const answers = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) => push(sink, `t${i}`, someTraces(1 + (i % 5)))),
      );
      for (const [i, answer] of answers.entries()) {
        if (i === 13)
          expect(answer).toMatchObject({ status: 'rejected', reason: { kind: 'invalid', code: 'unlucky' } });
        else {
          const value = { acceptedSpans: someTraces(1 + (i % 5)).length, rejectedSpans: i };
          expect(answer).toEqual({ status: 'fulfilled', value });
        }
      }
    });

    test('of several MiB arrive whole', async () => {
      const inner = createRecordingSink();
      const sink = await make(inner);
      const traces = someTraces(60_000);
      expect(traces.length).toBeGreaterThan(2 * 1024 * 1024);
      await push(sink, 'a', traces);
      expect(Buffer.compare(inner.pushes[0]?.bytes as Uint8Array, traces)).toBe(0);
    });
  });
}

function push(sink: TraceSink, tenant: string, traces: Uint8Array): Promise<PushResult> {
  return sink.push(tenant, pooled(traces), AbortSignal.timeout(10_000));
}

function pooled(bytes: Uint8Array): PooledBuffer {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { bytes: shared, release: () => undefined };
}

/** A request with so many spans, each of a trace of its own. */
function someTraces(count: number): Uint8Array {
  const spans = Array.from({ length: count }, (_, i) => ({
    traceId: Buffer.from((i + 1).toString(16).padStart(32, '0'), 'hex'),
    spanId: Buffer.from((i + 1).toString(16).padStart(16, '0'), 'hex'),
    name: `GET /orders/${i}`,
  }));
  return encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
}
