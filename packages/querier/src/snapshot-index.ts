import type { BlockEntry, ManifestSnapshot, OrdinalRange, TraceSegment } from '@vivace/manifest';

/** The time of the blocks that a segment knows. */
export interface IndexedSegment {
  segment: TraceSegment;
  blocks: readonly BlockEntry[];
}

/** What a lookup by id needs of a snapshot: made once, and kept as long as the snapshot is the newest. */
export interface SnapshotIndex {
  /** Segments with a live block. */
  segments: readonly IndexedSegment[];
  /** Blocks that no segment knows, or not whole: their filters are asked. */
  unindexed: readonly BlockEntry[];
  /** All live blocks, those with the newest spans first; those of which the time says nothing before all others. */
  newestFirst: readonly BlockEntry[];
  /** Indexed blocks that have an ordinal: several where a compaction has split one. */
  blocksOf: (ordinal: number) => readonly BlockEntry[];
}

const known = new WeakMap<ManifestSnapshot, SnapshotIndex>();

export function indexSnapshot(snapshot: ManifestSnapshot): SnapshotIndex {
  let index = known.get(snapshot);
  if (index === undefined) known.set(snapshot, (index = makeIndex(snapshot)));
  return index;
}

function makeIndex({ live, segments }: ManifestSnapshot): SnapshotIndex {
  const covered = coveredRanges(segments);
  const blocks: { segment: TraceSegment; blocks: BlockEntry[] }[] = segments.map((segment) => ({
    segment,
    blocks: [],
  }));
  const unindexed: BlockEntry[] = [];
  const owners: { range: OrdinalRange; entry: BlockEntry }[] = [];
  for (const entry of live) {
    const { ordinals } = entry;
    // All of them: what a block that was merged has of a block without a segment is in none.
    if (ordinals === undefined || !ordinals.every((range) => isCovered(range, covered))) {
      unindexed.push(entry);
      continue;
    }
    for (const range of ordinals) {
      owners.push({ range, entry });
      for (let i = lastAtOrBefore(segments, range.first); i >= 0 && i < segments.length; i++) {
        const of = blocks[i] as (typeof blocks)[number];
        if (of.segment.first >= range.end) break;
        if (of.blocks.at(-1) !== entry) of.blocks.push(entry);
      }
    }
  }
  owners.sort((a, b) => a.range.first - b.range.first);
  let newestFirst: BlockEntry[] | undefined;
  // The furthest end up to each: how far back an ordinal's owners can be.
  const furthest: number[] = [];
  for (const { range } of owners) furthest.push(Math.max(range.end, furthest.at(-1) ?? 0));
  return {
    segments: blocks.filter((one) => one.blocks.length > 0),
    unindexed,
    // Lookups do not need it.
    get newestFirst() {
      return (newestFirst ??= sortNewestFirst(live));
    },
    blocksOf: (ordinal) => {
      const found: BlockEntry[] = [];
      let at = bound(owners.length, (i) => (owners[i]?.range.first as number) <= ordinal) - 1;
      for (; at >= 0 && (furthest[at] as number) > ordinal; at--) {
        const { range, entry } = owners[at] as (typeof owners)[number];
        if (range.end > ordinal) found.push(entry);
      }
      return found;
    },
  };
}

function sortNewestFirst(live: readonly BlockEntry[]): BlockEntry[] {
  // Doubles tell ends apart that are some hundred nanoseconds apart: what is read first need not be told apart further.
  const keyed = live.map((entry) => ({
    entry,
    end: entry.misdated === true ? Number.POSITIVE_INFINITY : Number(entry.maxEnd),
  }));
  return keyed.sort((a, b) => (a.end === b.end ? 0 : b.end - a.end)).map(({ entry }) => entry);
}

/** Ordinals that segments know, without the holes, in ascending ranges that do not touch. */
function coveredRanges(segments: readonly TraceSegment[]): OrdinalRange[] {
  const ranges: OrdinalRange[] = [];
  const add = (first: number, end: number): void => {
    if (first >= end) return;
    const last = ranges.at(-1);
    if (last?.end === first) last.end = end;
    else ranges.push({ first, end });
  };
  for (const { first, end, holes } of segments) {
    let at = first;
    for (const hole of holes) {
      add(at, hole);
      at = hole + 1;
    }
    add(at, end);
  }
  return ranges;
}

function isCovered({ first, end }: OrdinalRange, covered: readonly OrdinalRange[]): boolean {
  const range = covered[lastAtOrBefore(covered, first)];
  return range !== undefined && range.end >= end;
}

/** The last range that begins at or before; -1: none. */
function lastAtOrBefore(ranges: readonly { first: number }[], ordinal: number): number {
  return bound(ranges.length, (i) => (ranges[i]?.first as number) <= ordinal) - 1;
}

/** How many of `count` numbers, from 0 on, something holds of. */
function bound(count: number, holds: (number: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
