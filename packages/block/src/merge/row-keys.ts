import { NO_PARENT } from '../parent-links.ts';
import { completeParents, endsOf, exactEnds } from '../row-times.ts';
import { type Piece, TableGather } from './gather.ts';
import { damageOf } from './input-block.ts';
import type { Segment, Window } from './segment.ts';

/** What the rows of a segment are ordered, told apart and linked by; positions as in `Segment`. */
export interface RowKeys {
  /** 64-bit numbers as halves: low at 2p, high at 2p + 1. */
  start: Uint32Array;
  end: Uint32Array;
  /** Ids as two words a row. */
  spanId: Int32Array;
  parentId: Int32Array;
  kind: Uint8Array;
}

/** All rows of a window, where they lie in the segment or, with `base` 0, by themselves. */
function pieceOf({ input, spans, from, to, base }: Window): Piece {
  const runs = {
    count: 1,
    source: Int32Array.of(0),
    target: Int32Array.of(base),
    length: Int32Array.of(to - from),
  };
  return { input, group: spans, from, to, runs };
}

/** Reads the keys of all rows of a segment. */
export function readKeys({ windows, rows }: Segment, seed: number): RowKeys {
  const gather = new TableGather('spans', windows.map(pieceOf), rows, seed);
  const start = new Uint32Array(gather.fixed('start', 8, true).buffer);
  const duration = new Uint32Array(gather.fixed('duration', 8, true).buffer);
  const end = new Uint32Array(2 * rows);
  endsOf(start, duration, rows, end);
  if (gather.has('overflow') && someZero(duration)) {
    for (const { row, low, high } of exactEnds(gather.sparse('overflow'), duration)) {
      end[2 * row] = low;
      end[2 * row + 1] = high;
    }
  }
  const spanId = new Int32Array(gather.fixed('span_id', 8, true).buffer);
  const parentId = new Int32Array(gather.fixed('parent_id', 8).buffer);
  const delta = gather.integers('parent', { absent: NO_PARENT });
  for (const { input, first, end: last } of spansOfInputs(windows)) {
    const part = <T extends Int32Array>(array: T, width: number): Int32Array =>
      array.subarray(width * first, width * last);
    try {
      completeParents(part(parentId, 2), part(delta, 1), part(spanId, 2), last - first);
    } catch (error) {
      throw damageOf(error, input.id, 'spans');
    }
  }
  return { start, end, spanId, parentId, kind: Uint8Array.from(gather.integers('kind', { required: true })) };
}

/** Positions of each input: its windows lie side by side, and traces are whole in them. */
function spansOfInputs(windows: readonly Window[]) {
  const spans: { input: Window['input']; first: number; end: number }[] = [];
  for (const { input, base, from, to } of windows) {
    const last = spans.at(-1);
    if (last?.input === input) last.end = base + to - from;
    else spans.push({ input, first: base, end: base + to - from });
  }
  return spans;
}

function someZero(halves: Uint32Array): boolean {
  for (let at = 0; at < halves.length; at += 2) if (halves[at] === 0 && halves[at + 1] === 0) return true;
  return false;
}
