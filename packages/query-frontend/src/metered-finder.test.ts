import type { TraceAnswer, TraceFinder } from '@vivace/api';
import { VivaceError } from '@vivace/kernel';
import { createMetrics } from '@vivace/telemetry';
import { expect, test } from 'vitest';
import { MeteredFinder } from './metered-finder.ts';
import { createQueryMetrics } from './query-metrics.ts';

const answer = (complete: boolean): TraceAnswer => ({
  trace: new Uint8Array(),
  complete,
  problems: complete ? [] : ['block x cannot be read'],
  truncated: false,
  inspectedBytes: 100,
});

test('lookups are counted as queries of kind trace, by what became of them', async () => {
  const metrics = createMetrics();
  let now = 0;
  const work: (() => TraceAnswer)[] = [
    () => answer(true),
    () => answer(false),
    () => {
      throw new VivaceError('canceled', 'gone', 'the client went away');
    },
  ];
  const finder: TraceFinder = {
    findTrace: async () => {
      now += 20;
      return (work.shift() as () => TraceAnswer)();
    },
  };
  const metered = new MeteredFinder(finder, {
    metrics: createQueryMetrics(metrics, { running: 0, waiting: 0 }),
    clock: { monotonicMs: () => now },
  });
  const ask = () =>
    metered.findTrace('t', new Uint8Array(16), { maxBytes: 1000, signal: new AbortController().signal });
  expect((await ask()).complete).toBe(true);
  expect((await ask()).complete).toBe(false);
  await expect(ask()).rejects.toThrow('the client went away');
  const { body } = await metrics.render();
  for (const outcome of ['ok', 'partial', 'canceled']) {
    expect(body).toContain(`vivace_query_duration_seconds_count{kind="trace",outcome="${outcome}"} 1`);
    expect(body).toContain(`vivace_query_duration_seconds_sum{kind="trace",outcome="${outcome}"} 0.02`);
  }
  expect(body).toContain('vivace_query_inspected_bytes_total{kind="trace"} 200');
});
