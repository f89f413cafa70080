import { seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry, ManifestSnapshot, OrdinalRange, TraceSegment } from '@vivace/manifest';
import { describe, expect, test } from 'vitest';
import { currentOrdinals, GONE } from './current-ordinals.ts';
import { planSegment, type SegmentLimits, type SegmentPlan } from './plan-segment.ts';

const DAY_MS = 86_400_000;
const random = seededRandom(1);

function entry(ordinals: OrdinalRange[], { day = 20_000, traces = 1000 } = {}): BlockEntry {
  const place = { object: 'block', offset: 0, length: 1 };
  return {
    id: uuidV7(day * DAY_MS, random),
    sections: { spans: place, events: place, resources: place, traces: place, filter: place, index: place },
    rows: 10 * traces,
    traces,
    minStart: 0n,
    maxEnd: 1n,
    commitTimeMs: day * DAY_MS,
    level: 0,
    retentionClass: '',
    filterBytes: 32,
    applied: 0,
    ordinals,
  };
}

const one = (first: number): OrdinalRange[] => [{ first, end: first + 1 }];

function snapshot(live: BlockEntry[], segments: TraceSegment[] = []): ManifestSnapshot {
  return { tenant: 't', version: 1, live, covered: new Map(), segments };
}

/** What the root has after a plan. */
function applied({ segments, ...rest }: ManifestSnapshot, plan: SegmentPlan): ManifestSnapshot {
  const gone = new Set([...plan.merged.map(({ id }) => id), ...plan.dead]);
  const entries = [...plan.merged, ...plan.blocks.map(({ entry: block }) => ({ entries: block.traces }))].reduce(
    (sum, part) => sum + part.entries,
    0,
  );
  const { first, end, day } = plan;
  const id = uuidV7(day * DAY_MS, random);
  const made = { id, day, first, end, holes: [], buckets: 1, stride: 16, entries };
  const kept = segments.filter((segment) => !gone.has(segment.id));
  return { ...rest, segments: [...kept, ...(end > first ? [made] : [])].sort((a, b) => a.first - b.first) };
}

describe('days of a block every five minutes', () => {
  test.each([100, 30_000])('have at most two segments, and %i traces a block are written a few times', (traces) => {
    const days = 5;
    let written = 0;
    let root = snapshot([]);
    for (let number = 0; number < days * 288; number++) {
      const block = entry(one(number), { day: 20_000 + Math.floor(number / 288), traces });
      root = { ...root, live: [...root.live, block] };
      for (let plan = planSegment(root); plan !== undefined; plan = planSegment(root)) {
        written += plan.merged.reduce((sum, { entries }) => sum + entries, traces);
        root = applied(root, plan);
      }
      for (const day of new Set(root.segments.map((segment) => segment.day))) {
        expect(root.segments.filter((segment) => segment.day === day).length).toBeLessThanOrEqual(2);
      }
    }
    expect(root.segments.at(0)?.first).toBe(0);
    expect(root.segments.at(-1)?.end).toBe(days * 288);
    // Of small tenants everything is small, and written often.
    if (traces > 1000) expect(written / (days * 288 * traces)).toBeLessThan(22);
  });
});

test('many blocks at once are taken in portions', () => {
  const limits: SegmentLimits = { maxEntries: 1e9, maxBlocks: 100, maxTraces: 50_000 };
  let root = snapshot(Array.from({ length: 1000 }, (_, i) => entry(one(i))));
  let plans = 0;
  for (let plan = planSegment(root, limits); plan !== undefined; plan = planSegment(root, limits)) {
    expect(plan.blocks.length).toBeLessThanOrEqual(100);
    root = applied(root, plan);
    plans++;
  }
  expect(plans).toBeGreaterThan(10);
  expect(root.segments.length).toBeLessThanOrEqual(2);
  expect([root.segments[0]?.first, root.segments.at(-1)?.end]).toEqual([0, 1000]);
});

test('a segment that would be too large is left alone', () => {
  const limits: SegmentLimits = { maxEntries: 2500, maxBlocks: 100, maxTraces: 2000 };
  let root = snapshot(Array.from({ length: 10 }, (_, i) => entry(one(i))));
  for (let plan = planSegment(root, limits); plan !== undefined; plan = planSegment(root, limits)) {
    root = applied(root, plan);
  }
  expect(Math.max(...root.segments.map(({ entries }) => entries))).toBeLessThanOrEqual(2500);
  expect(root.segments.length).toBeGreaterThan(3);
});

test('what is left where a segment was taken away is planned again, between the others', () => {
  const limits: SegmentLimits = { maxEntries: 2500, maxBlocks: 2, maxTraces: 2000 };
  let root = snapshot(Array.from({ length: 10 }, (_, i) => entry(one(i))));
  for (let plan = planSegment(root, limits); plan !== undefined; plan = planSegment(root, limits)) {
    root = applied(root, plan);
  }
  const lost = root.segments[1] as TraceSegment;
  const plan = planSegment({ ...root, segments: root.segments.filter((segment) => segment !== lost) }, limits);
  expect(plan).toMatchObject({ first: lost.first, end: lost.end, merged: [] });
  expect(plan?.blocks.map(({ ordinal }) => ordinal)).toEqual([lost.first, lost.end - 1]);
});

test('a segment of which no block is left is taken away', () => {
  let root = snapshot([entry(one(0))]);
  root = applied(root, planSegment(root) as SegmentPlan);
  const plan = planSegment({ ...root, live: [] });
  expect(plan).toMatchObject({ blocks: [], merged: [], dead: root.segments.map(({ id }) => id) });
});

test('blocks that a compaction has split are planned together, and a block with old and new ordinals again', () => {
  const [left, right] = [entry([{ first: 3, end: 6 }]), entry([{ first: 3, end: 6 }])];
  const limits: SegmentLimits = { maxEntries: 1e9, maxBlocks: 1, maxTraces: 1 };
  const plan = planSegment(snapshot([left, right, entry(one(7))]), limits);
  expect(plan?.blocks.map(({ ordinal }) => ordinal)).toEqual([3, 3]);
  expect(plan).toMatchObject({ first: 3, end: 6 });
  const segment = { id: left.id, day: 0, first: 0, end: 6, holes: [], buckets: 1, stride: 16, entries: 1 };
  const wide = entry([
    { first: 2, end: 5 },
    { first: 9, end: 10 },
  ]);
  const again = planSegment(snapshot([wide], [segment]));
  expect(again?.blocks.map(({ ordinal }) => ordinal)).toEqual([9]);
});

test('the ordinals of one block become one, those of several stay, those of none are gone', () => {
  const live = [entry([{ first: 2, end: 4 }, ...one(6)]), entry([{ first: 4, end: 6 }]), entry([{ first: 5, end: 6 }])];
  // Not 3 instead of 4: one of the two blocks that have it does not have the other.
  for (const order of [live, live.toReversed()]) {
    expect([...currentOrdinals(order, 1, 8)]).toEqual([GONE, 1, 1, 3, 4, 1, GONE]);
  }
});
