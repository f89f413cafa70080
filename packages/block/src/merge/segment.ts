import { dataError } from '@vivace/kernel';
import type { TableGroup } from '../block-index.ts';
import { planEvents } from '../plan-trace.ts';
import { damageOf, freeGroup, type InputBlock, type LoadedGroup, type MergedTable, NO_CACHE } from './input-block.ts';
import type { PageRange } from './plan-pages.ts';
import type { TraceRun } from './trace-run.ts';

/** Rows of one row group of an input. */
export interface WindowPlace {
  input: InputBlock;
  group: number;
  /** Rows `from … to - 1` of the row group. */
  from: number;
  to: number;
  /** Position of row `from` among the rows of the segment. */
  base: number;
}

/** Columns of rows of a row group, which all windows of it have in common. */
interface LoadedRows {
  spans: LoadedGroup;
  /** Undefined where the spans have no events, or where nothing of them is wanted. */
  events: LoadedGroup | undefined;
}

/** The same in memory. */
export interface Window extends WindowPlace, LoadedRows {}

/** Whole traces that are merged at once: those of a row group, or one that is larger. */
export interface Segment {
  traces: TraceRun;
  /** Not loaded where the segment is large: `loadRows` does it row group by row group. */
  windows: readonly Window[];
  /** Rows of all windows, one after another: the positions that parts of traces and orders of rows name. */
  rows: number;
  /** Rows of the row groups that it becomes, except the last. */
  groupRows: number;
  /** It becomes more than one. */
  isLarge: boolean;
  /** By part of a trace: position of its first row. */
  partFirst: Int32Array;
}

const NOT_LOADED: LoadedGroup = {
  columns: [],
  chunks: [],
  bytes: { bytes: new Uint8Array(0), base: 0, verified: new Set() },
  cache: NO_CACHE,
  kept: true,
};

/** Places the rows of some traces: a window for every run of rows of a row group of an input. */
export async function loadSegment(
  inputs: readonly InputBlock[],
  traces: TraceRun,
  groupRows: number,
): Promise<Segment> {
  const places = inputs.map((): WindowPlace[] => []);
  for (let part = 0; part < traces.partCount; part++) {
    const number = traces.input[part] as number;
    placeRows(inputs[number] as InputBlock, traces, part, places[number] as WindowPlace[]);
  }
  const isLarge = traces.rows > groupRows;
  const windows: Window[] = [];
  const firstRow = new Int32Array(inputs.length);
  let base = 0;
  for (const [number, ofInput] of places.entries()) {
    firstRow[number] = base;
    for (const place of ofInput) {
      place.base = base;
      base += place.to - place.from;
      if (isLarge) windows.push({ ...place, spans: NOT_LOADED, events: undefined });
    }
    if (!isLarge) for (const window of await loadWindows(ofInput, loadWanted)) windows.push(window);
  }
  const partFirst = new Int32Array(traces.partCount);
  for (let part = 0; part < traces.partCount; part++) {
    const number = traces.input[part] as number;
    partFirst[part] = firstRow[number] as number;
    firstRow[number] = (firstRow[number] as number) + (traces.spans[part] as number);
  }
  return { traces, windows, rows: base, groupRows, isLarge, partFirst };
}

/**
 * The windows in which rows `from … to - 1` of an order lie, loaded, and of a large segment no larger than need be.
 *
 * @param all With all columns, where the segment has only some; as of a large one, whoever loads them lets go of them.
 */
export async function loadRows(
  { windows, isLarge }: Segment,
  order: Int32Array,
  from: number,
  to: number,
  all = false,
): Promise<readonly Window[]> {
  if (!isLarge && !all) return windows;
  const first = new Int32Array(windows.length).fill(-1);
  const end = new Int32Array(windows.length);
  let number = 0;
  for (let row = from; row < to; row++) {
    const position = order[row] as number;
    number = windowOf(windows, position, number);
    const place = position - (windows[number] as Window).base;
    // Rows of a window keep their order.
    if (first[number] === -1) first[number] = place;
    end[number] = place + 1;
  }
  const places: WindowPlace[] = [];
  for (const [i, { input, group, from: start, base }] of windows.entries()) {
    const skipped = first[i] as number;
    if (skipped < 0) continue;
    places.push({ input, group, from: start + skipped, to: start + (end[i] as number), base: base + skipped });
  }
  return loadWindows(places, all ? loadAll : loadWantedOnce);
}

/** Lets go of windows; what their inputs keep stays until it is released. */
export function freeWindows(windows: readonly Window[]): void {
  for (const { spans, events } of windows) {
    if (!spans.kept) freeGroup(spans);
    if (events?.kept === false) freeGroup(events);
  }
}

/** The window that a position lies in; neighbouring positions are likely to lie in the same. */
export function windowOf(windows: readonly WindowPlace[], position: number, guess: number): number {
  const { base, from, to } = windows[guess] as WindowPlace;
  if (position >= base && position < base + to - from) return guess;
  let low = 0;
  let high = windows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((windows[middle] as WindowPlace).base <= position) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The rows of a part of a trace, as windows or with the last one. */
function placeRows(
  input: InputBlock,
  { row, spans, group: groups }: TraceRun,
  part: number,
  windows: WindowPlace[],
): void {
  const end = (row[part] as number) + (spans[part] as number);
  let group = groups[part] as number;
  for (let at = row[part] as number; at < end; group++) {
    const { firstRow, rows } = input.index.spans.groups[group] as TableGroup;
    const to = Math.min(end, firstRow + rows) - firstRow;
    const from = at - firstRow;
    const last = windows.at(-1);
    if (last !== undefined && last.group === group && last.to === from) last.to = to;
    else windows.push({ input, group, from, to, base: 0 });
    at = firstRow + to;
  }
}

/** Windows that follow one another in the same row group. */
export function* windowsByGroup<T extends WindowPlace>(windows: readonly T[]): Generator<T[]> {
  for (let first = 0; first < windows.length; ) {
    const { input, group } = windows[first] as T;
    let end = first + 1;
    while (windows[end]?.input === input && windows[end]?.group === group) end++;
    yield windows.slice(first, end);
    first = end;
  }
}

type Load = (input: InputBlock, table: MergedTable, group: number, range: PageRange) => Promise<LoadedGroup>;

const loadWanted: Load = (input, table, group, range) => input.load(table, group, range);
const loadWantedOnce: Load = (input, table, group, range) => input.load(table, group, range, false);
const loadAll: Load = (input, table, group, range) => input.loadAll(table, group, range);

/** Of a row group the rows from the first to the last window of it, those between included. */
async function loadWindows(places: readonly WindowPlace[], load: Load): Promise<Window[]> {
  const windows: Window[] = [];
  for (const ofGroup of windowsByGroup(places)) {
    const { input, group, from } = ofGroup[0] as WindowPlace;
    const { to } = ofGroup.at(-1) as WindowPlace;
    const spans = await load(input, 'spans', group, { from, to });
    const { rows } = input.index.events.groups[group] as TableGroup;
    const isWanted = rows > 0 && (load === loadAll || input.readsEvents);
    const range = isWanted ? planEvents(input.index, { group, from, to }) : { from: 0, to: 0 };
    const events = range.to <= range.from ? undefined : await load(input, 'events', group, range);
    for (const place of ofGroup) windows.push({ ...place, spans, events });
  }
  return windows;
}

/** A `data` error of a window. */
export function damaged(window: Window, section: string, message: string): unknown {
  return damageOf(dataError('block-row', message), window.input.id, section);
}
