import type { BlockEntry, ManifestSnapshot, TraceSegment } from '@vivace/manifest';
import { MAX_SEGMENTS } from '@vivace/manifest';
import { MAX_ORDINALS } from '@vivace/trace-index';

/** A segment to be made: of blocks that none knows yet, and of segments that it replaces. */
export interface SegmentPlan {
  first: number;
  end: number;
  day: number;
  /** In the order of their ordinals. */
  blocks: readonly PlannedBlock[];
  /** Side by side, just before the blocks. */
  merged: readonly TraceSegment[];
  /** Segments of which no block is left. */
  dead: readonly string[];
}

interface PlannedBlock {
  entry: BlockEntry;
  /** The one of its ordinals that its traces are written under. */
  ordinal: number;
}

export interface SegmentLimits {
  /** Traces of one segment, counted once a block. A merge takes about ten bytes of memory a trace. */
  maxEntries: number;
  /** New blocks, and their traces, of one plan. */
  maxBlocks: number;
  maxTraces: number;
}

const DEFAULT_LIMITS: SegmentLimits = { maxEntries: 16_000_000, maxBlocks: 4000, maxTraces: 4_000_000 };

/** A segment with fewer is always merged with what comes next, whatever the day. */
const SMALL_ENTRIES = 64 * 1024;
/** Above it the segments of old days are merged two by two. */
const MANY_SEGMENTS = MAX_SEGMENTS / 2;

const DAY_MS = 86_400_000;

/**
 * What to do next so that a lookup reads at most two segments a day: of the newest day there are two, a large one and
 * a small one that takes in what is new. Undefined: nothing.
 */
export function planSegment(
  snapshot: ManifestSnapshot,
  limits: SegmentLimits = DEFAULT_LIMITS,
): SegmentPlan | undefined {
  const dead = deadSegments(snapshot);
  const segments = snapshot.segments.filter(({ id }) => !dead.includes(id));
  let from = 0;
  for (const [number, to] of [...segments.map(({ first }) => first), Number.POSITIVE_INFINITY].entries()) {
    const fresh = from < to ? blocksWith(snapshot.live, from, to) : [];
    if (fresh.length > 0) return { ...planBlocks(fresh, segments.slice(0, number), to, limits), dead };
    from = segments[number]?.end ?? from;
  }
  const pair = segments.length > MANY_SEGMENTS ? smallestPair(segments, limits) : undefined;
  if (pair !== undefined) return { ...spanOf(pair), blocks: [], merged: pair, dead };
  return dead.length > 0 ? { first: 0, end: 0, day: 0, blocks: [], merged: [], dead } : undefined;
}

/** Live blocks with an ordinal from `from` to before `to`, by the first of those. */
function blocksWith(live: readonly BlockEntry[], from: number, to: number): PlannedBlock[] {
  const found: PlannedBlock[] = [];
  for (const entry of live) {
    const range = entry.ordinals?.find(({ first, end }) => end > from && first < to);
    if (range !== undefined) found.push({ entry, ordinal: Math.max(range.first, from) });
  }
  return found.sort((a, b) => a.ordinal - b.ordinal);
}

/** Takes the first of the blocks, and of the segments before them those that it is time to merge with. */
function planBlocks(
  fresh: readonly PlannedBlock[],
  before: readonly TraceSegment[],
  to: number,
  limits: SegmentLimits,
): Omit<SegmentPlan, 'dead'> {
  const [head] = fresh as readonly [PlannedBlock];
  const blocks: PlannedBlock[] = [];
  let traces = 0;
  let day = dayOf(head.entry);
  let end = head.ordinal + 1;
  for (const block of fresh) {
    const { entry, ordinal } = block;
    // Blocks of one ordinal are the parts of one that was split: they are planned together.
    const isApart = blocks.length > 0 && ordinal !== blocks.at(-1)?.ordinal;
    const isEnough = dayOf(entry) > day || blocks.length >= limits.maxBlocks || traces >= limits.maxTraces;
    if (isApart && (isEnough || ordinal - head.ordinal >= MAX_ORDINALS / 2)) break;
    blocks.push(block);
    traces += entry.traces;
    day = Math.max(day, dayOf(entry));
    end = Math.max(end, entry.ordinals?.at(-1)?.end ?? 0);
  }
  // What a block has of later ordinals is planned with the block that comes next.
  end = Math.min(end, fresh[blocks.length]?.ordinal ?? to, to, head.ordinal + MAX_ORDINALS / 2);
  const merged = mergedWith(before, { day, traces, end }, limits);
  return { first: merged[0]?.first ?? head.ordinal, end, day, blocks, merged };
}

/** Which of the last segments are written again with `traces` new traces of a day. */
function mergedWith(
  segments: readonly TraceSegment[],
  { day, traces, end }: { day: number; traces: number; end: number },
  { maxEntries }: SegmentLimits,
): TraceSegment[] {
  const merged: TraceSegment[] = [];
  let entries = traces;
  for (let i = segments.length - 1; i >= 0; i--) {
    const segment = segments[i] as TraceSegment;
    if (entries + segment.entries > maxEntries || end - segment.first > MAX_ORDINALS) break;
    const isSecondOfDay = segment.day === day && segments[i - 1]?.day === day;
    // Where writing the small one at every commit costs as much as the large one from time to time.
    const isOutgrown = segment.day === day && entries * entries >= traces * segment.entries;
    if (segment.entries >= SMALL_ENTRIES && !isSecondOfDay && !isOutgrown) break;
    merged.unshift(segment);
    entries += segment.entries;
  }
  return merged;
}

function smallestPair(segments: readonly TraceSegment[], { maxEntries }: SegmentLimits): TraceSegment[] | undefined {
  let best: TraceSegment[] | undefined;
  let least = maxEntries;
  for (let i = 1; i < segments.length; i++) {
    const pair = segments.slice(i - 1, i + 1);
    const entries = pair.reduce((sum, segment) => sum + segment.entries, 0);
    const { first, end } = spanOf(pair);
    if (entries > least || end - first > MAX_ORDINALS) continue;
    best = pair;
    least = entries;
  }
  return best;
}

function spanOf(segments: readonly TraceSegment[]): Pick<SegmentPlan, 'first' | 'end' | 'day'> {
  return {
    first: segments[0]?.first ?? 0,
    end: segments.at(-1)?.end ?? 0,
    day: Math.max(...segments.map(({ day }) => day)),
  };
}

function deadSegments({ segments, live }: ManifestSnapshot): string[] {
  const dead = new Set(segments);
  for (const { ordinals = [] } of live) {
    for (const range of ordinals) {
      if (dead.size === 0) return [];
      for (const segment of dead) if (range.first < segment.end && range.end > segment.first) dead.delete(segment);
    }
  }
  return [...dead].map(({ id }) => id);
}

function dayOf({ commitTimeMs }: BlockEntry): number {
  return Math.floor(commitTimeMs / DAY_MS);
}
