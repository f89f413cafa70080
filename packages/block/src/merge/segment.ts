import { dataError } from '@vivace/kernel';
import type { TableGroup } from '../block-index.ts';
import { damageOf, type InputBlock, type LoadedGroup } from './input-block.ts';
import type { MergedTrace } from './trace-stream.ts';

/** Rows of one row group of an input that a segment takes, loaded. */
export interface Window {
  input: InputBlock;
  /** Number of the input. */
  number: number;
  group: number;
  /** Rows `from … to - 1` of the row group. */
  from: number;
  to: number;
  /** Position of row `from` among the rows of the segment. */
  base: number;
  spans: LoadedGroup;
  /** Undefined where the row group has no events. */
  events: LoadedGroup | undefined;
}

/** Whole traces that are merged at once: those of a row group, or one that is larger. */
export interface Segment {
  traces: readonly MergedTrace[];
  windows: readonly Window[];
  /** Rows of all windows, one after another: the positions that parts of traces and orders of rows name. */
  rows: number;
  /** By part of each trace in order: position of its first row. */
  partFirst: Int32Array;
}

/** Loads the rows of some traces: a window for every row group of an input that has some. */
export async function loadSegment(inputs: readonly InputBlock[], traces: readonly MergedTrace[]): Promise<Segment> {
  const parts = traces.reduce((sum, trace) => sum + trace.parts.length, 0);
  const partFirst = new Int32Array(parts);
  const windows: Window[] = [];
  let base = 0;
  for (const [number, input] of inputs.entries()) {
    const { groups } = input.index.spans;
    let last: Window | undefined;
    let at = 0;
    for (const trace of traces) {
      for (const part of trace.parts) {
        const place = at++;
        if (part.input !== number) continue;
        partFirst[place] = base;
        let group = part.group;
        for (let row = part.row; row < part.row + part.spans; group++) {
          const { firstRow, rows } = groups[group] as TableGroup;
          const end = Math.min(part.row + part.spans, firstRow + rows);
          const from = row - firstRow;
          if (last === undefined || last.group !== group || last.to !== from) {
            last = {
              ...{ input, number, group, from, to: from, base },
              ...{ spans: await input.load('spans', group), events: await loadEvents(input, group) },
            };
            windows.push(last);
          }
          last.to = end - firstRow;
          base += end - row;
          row = end;
        }
      }
    }
  }
  return { traces, windows, rows: base, partFirst };
}

async function loadEvents(input: InputBlock, group: number): Promise<LoadedGroup | undefined> {
  const { rows } = input.index.events.groups[group] as TableGroup;
  return rows === 0 ? undefined : input.load('events', group);
}

/** A `data` error of a window. */
export function damaged(window: Window, section: string, message: string): unknown {
  return damageOf(dataError('block-row', message), window.input.id, section);
}
