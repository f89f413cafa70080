import { type Clock, createBufferPool, VivaceError } from '@vivace/kernel';
import { createRecordingSink } from '@vivace/otlp/testing';
import { createMetrics } from '@vivace/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDistributor, createDistributorMetrics, type DistributorOptions } from './index.ts';
import { TokenBucket } from './token-bucket.ts';

function setUp(changes: Partial<DistributorOptions> = {}) {
  let nowMs = 5000;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error('the distributor does not wait')),
    after: () => () => undefined,
  };
  const next = createRecordingSink();
  const metrics = createMetrics();
  const pool = createBufferPool({ maxIdleBytes: 1 << 20 });
  const distributor = createDistributor({
    next,
    clock,
    metrics: createDistributorMetrics(metrics),
    limits: { ingestionRateBytes: 1000, ingestionBurstBytes: 2000 },
    maxTenants: 2,
    ...changes,
  });
  return {
    next,
    metrics,
    passMs: (ms: number) => {
      nowMs += ms;
    },
    push: async (tenant: string, bytes: number) => {
      const request = pool.acquire(bytes);
      try {
        return await distributor.push(tenant, request, AbortSignal.timeout(1000));
      } finally {
        request.release();
      }
    },
  };
}

describe('the distributor', () => {
  it('hands requests on and their results back', async () => {
    const { push, next } = setUp();
    next.answer = async () => ({ acceptedSpans: 3, rejectedSpans: 1, firstReason: 'why' });
    expect(await push('a', 10)).toEqual({ acceptedSpans: 3, rejectedSpans: 1, firstReason: 'why' });
    expect(next.pushes.map(({ tenant, bytes }) => [tenant, bytes.length])).toEqual([['a', 10]]);
  });

  it('keeps each tenant to its rate, tells when to come back, and takes the request then', async () => {
    const { push, passMs, next } = setUp();
    await push('a', 2000);
    await expect(push('a', 500)).rejects.toMatchObject({ kind: 'limited', code: 'over-rate', retryAfterMs: 500 });
    await push('b', 2000);
    passMs(499);
    await expect(push('a', 500)).rejects.toMatchObject({ retryAfterMs: 1 });
    passMs(1);
    await push('a', 500);
    expect(next.pushes.map(({ tenant }) => tenant)).toEqual(['a', 'b', 'a']);
  });

  it('tells a request that never fits so, without a time to come back', async () => {
    const { push, next } = setUp();
    await expect(push('a', 2001)).rejects.toMatchObject({
      kind: 'limited',
      code: 'over-burst',
      retryAfterMs: undefined,
      message: expect.stringContaining(
        'RATE_LIMITED: the request is larger than limits.ingestion_burst_bytes',
      ) as string,
    });
    await push('a', 2000);
    expect(next.pushes).toHaveLength(1);
  });

  it('takes no more tenants than its limit, until one has been idle long enough', async () => {
    const { push, passMs } = setUp({ tenantIdleMs: 1000 });
    await push('a', 1);
    passMs(400);
    await push('b', 1);
    passMs(400);
    await push('a', 1);
    await expect(push('c', 1)).rejects.toMatchObject({ code: 'too-many-tenants', retryAfterMs: 600 });
    passMs(600);
    await push('c', 1);
    await expect(push('b', 1)).rejects.toMatchObject({ code: 'too-many-tenants', retryAfterMs: 400 });
    await push('a', 1);
  });

  it('lets errors of the ingester through and counts what became of everything', async () => {
    const { push, next, metrics } = setUp();
    next.answer = async () => ({ acceptedSpans: 2, rejectedSpans: 1 });
    await push('a', 100);
    next.answer = () => Promise.reject(new VivaceError('unavailable', 'disk-full', 'the disk is full'));
    await expect(push('a', 50)).rejects.toMatchObject({ code: 'disk-full' });
    await expect(push('a', 3000)).rejects.toMatchObject({ code: 'over-burst' });
    const { body } = await metrics.render();
    expect(body.split('\n').filter((line) => line.startsWith('vivace_'))).toEqual([
      'vivace_distributor_bytes_total{result="accepted"} 100',
      'vivace_distributor_bytes_total{result="disk-full"} 50',
      'vivace_distributor_bytes_total{result="over-burst"} 3000',
      'vivace_distributor_spans_total{result="accepted"} 2',
      'vivace_distributor_spans_total{result="rejected"} 1',
    ]);
  });
});

describe('TokenBucket', () => {
  it('never gives more than burst plus rate times time, and always what it promised', () => {
    const step = fc.record({ waitMs: fc.nat(3000), count: fc.nat(500) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step), (rate, steps) => {
        const bucket = new TokenBucket(rate, 500, 0);
        let nowMs = 0;
        let given = 0;
        for (const { waitMs, count } of steps) {
          nowMs += waitMs;
          const laterMs = bucket.take(count, nowMs);
          if (laterMs > 0) {
            nowMs += laterMs;
            expect(bucket.take(count, nowMs)).toBe(0);
          }
          given += count;
          expect(given).toBeLessThanOrEqual(500 + (rate * nowMs) / 1000 + 0.01);
        }
      }),
    );
  });
});
