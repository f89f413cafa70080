import { dataError } from '@vivace/kernel';
import type { TableGroup } from '../block-index.ts';
import { planEvents } from '../plan-trace.ts';
import { damageOf, type InputBlock, type LoadedGroup } from './input-block.ts';
import type { TraceRun } from './trace-run.ts';

/** Rows of one row group of an input that a segment takes, loaded. */
export interface Window {
  input: InputBlock;
  group: number;
  /** Rows `from … to - 1` of the row group. */
  from: number;
  to: number;
  /** Position of row `from` among the rows of the segment. */
  base: number;
  spans: LoadedGroup;
  /** Undefined where the spans have no events. */
  events: LoadedGroup | undefined;
}

/** Whole traces that are merged at once: those of a row group, or one that is larger. */
export interface Segment {
  traces: TraceRun;
  windows: readonly Window[];
  /** Rows of all windows, one after another: the positions that parts of traces and orders of rows name. */
  rows: number;
  /** By part of a trace: position of its first row. */
  partFirst: Int32Array;
}

/** Loads the rows of some traces: a window for every run of rows of a row group of an input. */
export async function loadSegment(inputs: readonly InputBlock[], traces: TraceRun): Promise<Segment> {
  const places = inputs.map((): Omit<Window, 'spans' | 'events'>[] => []);
  for (let part = 0; part < traces.partCount; part++) {
    const number = traces.input[part] as number;
    placeRows(inputs[number] as InputBlock, traces, part, places[number] as Omit<Window, 'spans' | 'events'>[]);
  }
  const windows: Window[] = [];
  const firstRow = new Int32Array(inputs.length);
  let base = 0;
  for (const [number, ofInput] of places.entries()) {
    firstRow[number] = base;
    for (const place of ofInput) {
      windows.push({ ...place, base, ...(await loadWindow(place)) });
      base += place.to - place.from;
    }
  }
  const partFirst = new Int32Array(traces.partCount);
  for (let part = 0; part < traces.partCount; part++) {
    const number = traces.input[part] as number;
    partFirst[part] = firstRow[number] as number;
    firstRow[number] = (firstRow[number] as number) + (traces.spans[part] as number);
  }
  return { traces, windows, rows: base, partFirst };
}

/** The rows of a part of a trace, as windows or with the last one. */
function placeRows(
  input: InputBlock,
  { row, spans, group: groups }: TraceRun,
  part: number,
  windows: Omit<Window, 'spans' | 'events'>[],
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

async function loadWindow({ input, group, from, to }: Pick<Window, 'input' | 'group' | 'from' | 'to'>) {
  const spans = await input.load('spans', group, { from, to });
  const { rows } = input.index.events.groups[group] as TableGroup;
  const range = rows === 0 ? undefined : planEvents(input.index, { group, from, to });
  const events = range === undefined || range.to <= range.from ? undefined : await input.load('events', group, range);
  return { spans, events };
}

/** A `data` error of a window. */
export function damaged(window: Window, section: string, message: string): unknown {
  return damageOf(dataError('block-row', message), window.input.id, section);
}
