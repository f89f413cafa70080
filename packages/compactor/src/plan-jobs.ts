import { type BlockEntry, entryTimeMs } from '@vivace/manifest';

/*
 * Which blocks are merged, as data. Blocks of one tenant are merged in windows of time, of a few sizes: those of an
 * hour first, the blocks of hours into those of a day. So a span that came in time is rewritten once a level, and no
 * more. A window is merged when it has ended and what was still in memory then has been cut; before that only runs that
 * are as large as one merge may be.
 *
 * What is committed later than that is late. It waits until there are several of its kind: those are merged with each
 * other, and with what the window has already only where that is no larger than they are, so that each rewriting at
 * least doubles the block that a span is in.
 */

export interface PlanOptions {
  /** Sizes of the windows, ascending, each a multiple of the one before. Blocks of level n are merged in windows of n. */
  windowsMs: readonly number[];
  /** A window is closed so long after its end: by then everything that came in time is in blocks. */
  settleMs: number;
  /** Blocks that one merge reads. */
  maxInputs: number;
  /** Spans of a block that is written. */
  maxRows: number;
  /** The store's clock. */
  nowMs: number;
}

export interface CompactionJob {
  /** Of the blocks that are written: 1 + the place of the window's size. */
  level: number;
  windowStartMs: number;
  misdated: boolean;
  /** At least two, by time. */
  inputs: readonly BlockEntry[];
  rows: number;
}

/** Late blocks of a window are merged when there are so many. */
export const MIN_LATE = 4;

/**
 * A merge has some pages of each input in memory, so of inputs with more spans than these it may have so few: eight of
 * 500,000 take 134 MB above the idle process, and each one more 4.5.
 */
const LARGE_ROWS = 200_000;
const MAX_LARGE = 8;

interface Candidate {
  entry: BlockEntry;
  timeMs: number;
}

interface Window {
  startMs: number;
  members: Candidate[];
}

/** The jobs that could run now, on blocks of their own each. First those that save most blocks for what they rewrite. */
export function planJobs(live: readonly BlockEntry[], options: PlanOptions): CompactionJob[] {
  const jobs: CompactionJob[] = [];
  for (const misdated of [false, true]) {
    const candidates = live
      .filter((entry) => (entry.misdated === true) === misdated)
      .map((entry) => ({ entry, timeMs: entryTimeMs(entry) }))
      .sort((a, b) => a.timeMs - b.timeMs || (a.entry.id < b.entry.id ? -1 : 1));
    const busy = new Set<BlockEntry>();
    options.windowsMs.forEach((windowMs, place) => {
      for (const window of windowsOf(candidates, windowMs)) {
        for (const run of planWindow(window, { ...options, level: place + 1, windowMs, busy })) {
          for (const entry of run) busy.add(entry);
          jobs.push({ level: place + 1, windowStartMs: window.startMs, misdated, inputs: run, rows: rowsOf(run) });
        }
      }
    });
  }
  return jobs.sort((a, b) => benefit(b) - benefit(a) || a.windowStartMs - b.windowStartMs);
}

interface WindowOptions extends PlanOptions {
  level: number;
  windowMs: number;
  /** What jobs of lower levels take. */
  busy: ReadonlySet<BlockEntry>;
}

function planWindow({ startMs, members }: Window, options: WindowOptions): BlockEntry[][] {
  const { level, windowMs, busy, nowMs, settleMs, windowsMs } = options;
  const closedMs = startMs + windowMs + settleMs;
  const fresh = members.filter(({ entry }) => entry.level < level);
  if (nowMs < closedMs) {
    // Only what the level below is done with.
    const belowMs = windowsMs[level - 2];
    const isDone = ({ entry, timeMs }: Candidate): boolean =>
      entry.level === level - 1 ||
      (belowMs !== undefined && floorTo(timeMs, belowMs) + belowMs + settleMs <= nowMs && !busy.has(entry));
    return runsOf(entriesOf(fresh.filter(isDone)), options)
      .filter(({ full }) => full)
      .map(({ entries }) => entries);
  }
  // It is merged once, when all of it is ready.
  if (fresh.some(({ entry }) => busy.has(entry))) return [];
  const late = entriesOf(fresh).filter(({ commitTimeMs }) => commitTimeMs > closedMs);
  const inTime = entriesOf(fresh).filter(({ commitTimeMs }) => commitTimeMs <= closedMs);
  const runs = runsOf(inTime, options).map(({ entries }) => entries);
  const aboveMs = windowsMs[level];
  const isLateAbove = aboveMs !== undefined && floorTo(startMs, aboveMs) + aboveMs + settleMs <= nowMs;
  // What comes after the larger window has closed is merged there, at once.
  if (late.length >= MIN_LATE && !isLateAbove) {
    const merged = new Set(runs.flat());
    const settled = entriesOf(members).filter((entry) => entry.level === level || inTime.includes(entry));
    runs.push(
      ...runsOf(
        withSimilar(
          late,
          settled.filter((entry) => !merged.has(entry)),
        ),
        options,
      ).map(({ entries }) => entries),
    );
  }
  return runs;
}

/** Late blocks and, from the smallest on, those of the window that are no larger than all taken so far. */
function withSimilar(late: readonly BlockEntry[], settled: readonly BlockEntry[]): BlockEntry[] {
  const taken = [...late];
  let rows = rowsOf(late);
  for (const entry of [...settled].sort((a, b) => a.rows - b.rows)) {
    if (entry.rows > rows) break;
    taken.push(entry);
    rows += entry.rows;
  }
  return taken.sort((a, b) => entryTimeMs(a) - entryTimeMs(b));
}

interface Run {
  entries: BlockEntry[];
  /** The next block did not fit. */
  full: boolean;
}

/**
 * Cuts blocks, in the order of their time, into runs of two or more that one merge may have. What has more than half of
 * the spans that a block may have is left as it is.
 */
function runsOf(entries: readonly BlockEntry[], { maxInputs, maxRows }: PlanOptions): Run[] {
  const runs: Run[] = [];
  let run: Run = { entries: [], full: false };
  let rows = 0;
  let large = 0;
  const isFull = (): boolean => run.entries.length === maxInputs || large === MAX_LARGE;
  for (const entry of entries) {
    if (entry.rows > maxRows / 2) continue;
    if (isFull() || (run.entries.length > 0 && rows + entry.rows > maxRows)) {
      run.full = true;
      runs.push(run);
      run = { entries: [], full: false };
      rows = 0;
      large = 0;
    }
    run.entries.push(entry);
    rows += entry.rows;
    if (entry.rows > LARGE_ROWS) large++;
  }
  if (run.entries.length > 0) runs.push({ ...run, full: isFull() });
  return runs.filter(({ entries: found }) => found.length > 1);
}

function windowsOf(candidates: readonly Candidate[], windowMs: number): Window[] {
  const groups = Map.groupBy(candidates, ({ timeMs }) => floorTo(timeMs, windowMs));
  return [...groups].map(([startMs, members]) => ({ startMs, members }));
}

function entriesOf(candidates: readonly Candidate[]): BlockEntry[] {
  return candidates.map(({ entry }) => entry);
}

function rowsOf(entries: readonly BlockEntry[]): number {
  return entries.reduce((sum, { rows }) => sum + rows, 0);
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

/** Blocks fewer for each span that is rewritten; a small merge costs something, too. */
function benefit({ inputs, rows }: CompactionJob): number {
  return (inputs.length - 1) / (rows + JOB_ROWS);
}

/** What a merge costs besides its spans, in spans. */
const JOB_ROWS = 20_000;
