import { expect, test } from 'vitest';
import { type S3Weather, S3WeatherPlan } from './s3-weather.ts';

const STORM: S3Weather = {
  seed: 1,
  resets: 0.15,
  unavailable: 0.1,
  tooMany: 0.05,
  latency: { medianMs: 10, slow: 0.01, maxMs: 3000 },
};
const REQUESTS = 20_000;

function weathered(weather: S3Weather) {
  const plan = new S3WeatherPlan(weather);
  const faults = Array.from({ length: REQUESTS }, (_, i) =>
    plan.draw({ method: i % 2 === 0 ? 'GET' : 'PUT', bucket: 'b', key: i % 4 === 0 ? '' : 'k', number: i + 1 }),
  );
  return { faults, ...plan.counts() };
}

test('faults come as often as they were asked for, resets in three ways', () => {
  const { outcomes } = weathered(STORM);
  const share = (outcome: 'fine' | 'reset' | 'done-no-answer' | 'cut' | '503' | '429') =>
    Object.values(outcomes).reduce((sum, counts) => sum + (counts[outcome] ?? 0), 0) / REQUESTS;
  expect(share('fine')).toBeCloseTo(0.7, 1);
  expect(share('reset') + share('done-no-answer') + share('cut')).toBeCloseTo(0.15, 2);
  for (const outcome of ['reset', 'done-no-answer', 'cut'] as const) expect(share(outcome)).toBeGreaterThan(0.02);
  expect(share('503')).toBeCloseTo(0.1, 2);
  expect(share('429')).toBeCloseTo(0.05, 2);
  expect(Object.keys(outcomes).sort()).toEqual(['get', 'list', 'put']);
  expect(outcomes.put?.cut).toBeUndefined();
});

test('every request waits: half of them not long, a few nearly as long as may be', () => {
  const { faults, latencyMs } = weathered(STORM);
  expect(faults.every(({ delayMs = -1 }) => delayMs >= 0 && delayMs <= 3000)).toBe(true);
  expect(latencyMs.p50).toBeGreaterThan(8);
  expect(latencyMs.p50).toBeLessThan(12);
  expect(latencyMs.max).toBeGreaterThan(2500);
  expect(latencyMs.overOneSecond / REQUESTS).toBeCloseTo(0.0067, 2);
});

test('the same seed draws the same, another one something else', () => {
  expect(weathered(STORM).faults).toEqual(weathered(STORM).faults);
  expect(weathered({ ...STORM, seed: 2 }).faults).not.toEqual(weathered(STORM).faults);
});
