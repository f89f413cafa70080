import { seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { describe, expect, test } from 'vitest';
import { MIN_LATE, type PlanOptions, planJobs } from './plan-jobs.ts';
import { type PlanEntry, planEntry } from './testing/plan-entry.ts';
import { type SimulatedLoad, simulatePlanning } from './testing/plan-simulation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = 20_000 * DAY;
const random = seededRandom(7);

function blocks(...made: PlanEntry[]): BlockEntry[] {
  return made.map((entry) => planEntry(uuidV7(START, random), entry));
}

/** Blocks of the first hour, one each five minutes. */
function firstHour(count = 12, change: Partial<PlanEntry> = {}): BlockEntry[] {
  return blocks(...Array.from({ length: count }, (_, i) => ({ endMs: START + (i * HOUR) / count, ...change })));
}

function plan(live: readonly BlockEntry[], afterMs: number, change: Partial<PlanOptions> = {}) {
  const options = { windowsMs: [HOUR, DAY], settleMs: 10 * MINUTE, maxInputs: 32, maxRows: 20_000_000 };
  return planJobs(live, { ...options, nowMs: START + afterMs, ...change });
}

describe('a window', () => {
  test('is merged once it has settled, not before', () => {
    const live = firstHour();
    expect(plan(live, 70 * MINUTE - 1)).toEqual([]);
    expect(plan(live, 70 * MINUTE)).toEqual([
      { level: 1, windowStartMs: START, misdated: false, inputs: live, rows: 12_000 },
    ]);
  });

  test('is merged before its end only in runs that are as large as a merge may be', () => {
    const live = firstHour(70);
    const jobs = plan(live, 59 * MINUTE);
    expect(jobs.map(({ inputs }) => inputs)).toEqual([live.slice(0, 32), live.slice(32, 64)]);
    expect(plan(firstHour(31), 59 * MINUTE)).toEqual([]);
  });

  test('of one block is left alone', () => {
    expect(plan(firstHour(1), 5 * HOUR)).toEqual([]);
  });

  test('is cut into runs of few enough spans, in the order of time, and blocks that are large already stay', () => {
    const live = blocks(
      ...[6, 6, 11, 6, 6, 1].map((millions, i) => ({ endMs: START + i * MINUTE, rows: millions * 1e6 })),
    );
    const jobs = plan(live, 2 * HOUR);
    expect(jobs.map(({ inputs }) => inputs.map(({ rows }) => rows / 1e6))).toEqual([
      [6, 1],
      [6, 6, 6],
    ]);
  });

  test('is cut into runs of few blocks where these are large: a merge has some of each in memory', () => {
    const live = firstHour(30, { rows: 250_000 });
    const jobs = plan(live, 2 * HOUR);
    expect(jobs.map(({ inputs }) => inputs.length).sort((a, b) => b - a)).toEqual([8, 8, 8, 6]);
    const mixed = firstHour(40).map((entry, i) => ({ ...entry, rows: i % 5 === 0 ? 250_000 : 1000 }));
    const [first, ...others] = plan(mixed, 2 * HOUR).sort((a, b) => b.inputs.length - a.inputs.length);
    expect([first, ...others].map((job) => job?.inputs.length)).toEqual([32, 8]);
  });

  test('of a day waits for the merges of its hours', () => {
    const hours = Array.from({ length: 24 }, (_, i) =>
      blocks({ endMs: START + i * HOUR, level: 1 }, { endMs: START + i * HOUR + 1, level: i === 7 ? 0 : 1 }),
    ).flat();
    const late = blocks({ endMs: START + 7 * HOUR + 2 });
    const jobs = plan([...hours, ...late], DAY + HOUR);
    expect(jobs.map(({ level, inputs }) => [level, inputs.length])).toEqual([[1, 2]]);
    expect(plan(hours, DAY + HOUR).map(({ level, inputs }) => [level, inputs.length])).toEqual([
      [2, 32],
      [2, 16],
    ]);
  });
});

test('blocks of impossible times are merged with each other, by when they came', () => {
  const sane = firstHour();
  const odd = firstHour(3).map((entry) => ({ ...entry, misdated: true, maxEnd: 1n << 63n }));
  const jobs = plan([...odd, ...sane], 2 * HOUR);
  expect(jobs.map(({ misdated, inputs }) => [misdated, inputs.length])).toEqual([
    [false, 12],
    [true, 3],
  ]);
});

describe('late blocks', () => {
  const merged = { endMs: START + HOUR - 1, level: 2, rows: 5_000_000 };
  const late = (count: number, rows = 1000) =>
    blocks(...Array.from({ length: count }, () => ({ endMs: START + MINUTE, commitTimeMs: START + 3 * DAY, rows })));

  test('wait until there are some', () => {
    expect(plan([...blocks(merged), ...late(MIN_LATE - 1)], 4 * DAY)).toEqual([]);
  });

  test('are then merged with each other, and what is larger than all of them stays', () => {
    const waiting = late(MIN_LATE);
    const jobs = plan([...blocks(merged), ...waiting], 4 * DAY);
    expect(jobs.map(({ inputs }) => new Set(inputs))).toEqual([new Set(waiting)]);
  });

  test('take what is no larger than they are with them', () => {
    const jobs = plan([...blocks(merged, { ...merged, rows: 4000 }), ...late(MIN_LATE, 1000)], 4 * DAY);
    expect(jobs.map(({ rows }) => rows)).toEqual([8000]);
  });
});

test('first comes what saves most blocks for the spans that it rewrites', () => {
  const small = firstHour(12);
  const large = blocks(
    ...[0, 1, 2].map((i) => ({ endMs: START - DAY + i * HOUR, rows: 5_000_000, level: 1 })),
    ...[3, 4, 5].map((i) => ({ endMs: START - DAY + i * HOUR, rows: 1_000_000, level: 1 })),
  );
  expect(plan([...large, ...small], 2 * HOUR).map(({ level, inputs }) => [level, inputs.length])).toEqual([
    [1, 12],
    [2, 6],
  ]);
});

test('the same blocks give the same jobs in whatever order they are listed, and no block is in two', () => {
  const live = [
    ...firstHour(100, { rows: 400_000 }),
    ...blocks({ endMs: START - 2 * DAY }, { endMs: START - 2 * DAY }),
  ];
  const jobs = plan(live, 2 * HOUR);
  expect(plan([...live].reverse(), 2 * HOUR)).toEqual(jobs);
  const taken = jobs.flatMap(({ inputs }) => inputs);
  expect(new Set(taken).size).toBe(taken.length);
  expect(jobs.every(({ inputs, rows }) => inputs.length >= 2 && inputs.length <= 32 && rows <= 20_000_000)).toBe(true);
});

describe('over days', () => {
  const load: SimulatedLoad = {
    days: 5,
    spansPerSecond: 1000,
    ingesters: 4,
    cutIntervalMs: 5 * MINUTE,
    generationRows: 250_000,
    lateShare: 0.02,
  };
  const options = { windowsMs: [HOUR, DAY], settleMs: 10 * MINUTE, maxInputs: 32, maxRows: 20_000_000 };

  test.each<[string, Partial<SimulatedLoad>, { rewrites: number; perDay: number; today: number; most: number }]>([
    ['50 spans a second', { spansPerSecond: 50, ingesters: 1 }, { rewrites: 2, perDay: 4, today: 45, most: 60 }],
    ['1,000 a second over four ingesters', {}, { rewrites: 2, perDay: 10, today: 35, most: 100 }],
    ['10,000 a second', { spansPerSecond: 10_000, days: 3 }, { rewrites: 2, perDay: 60, today: 80, most: 210 }],
    ['1,000 a second, half of it hours late', { lateShare: 0.5 }, { rewrites: 2.5, perDay: 20, today: 80, most: 160 }],
  ])('%s: a span is rewritten about twice, and few blocks are live', (_name, change, most) => {
    const result = simulatePlanning({ ...load, ...change }, options);
    expect(result.mergedRows / result.ingestedRows).toBeLessThan(most.rewrites);
    expect(result.livePerDay).toBeLessThan(most.perDay);
    expect(result.liveToday).toBeLessThan(most.today);
    expect(result.maxLive).toBeLessThan(most.most);
    expect(result.largestRows).toBeLessThanOrEqual(options.maxRows);
  });
});
