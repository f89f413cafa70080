import { dataError } from '@vivace/kernel';
import type { TableColumnLayout } from '../block-index.ts';
import { NO_PARENT } from '../parent-links.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { decodeFixed, decodeHalves, decodeIntegers, type LoadedChunk } from '../parquet/whole-chunk.ts';
import { completeParents, endsOf, exactEnds } from '../row-times.ts';
import type { Buffers } from './buffers.ts';
import { type Piece, TableGather } from './gather.ts';
import { damageOf, NO_CACHE } from './input-block.ts';
import type { Segment, Window } from './segment.ts';

/** What the rows of a segment are ordered, told apart and linked by; positions as in `Segment`. Arrays may be longer. */
export interface RowKeys {
  /** 64-bit numbers as halves: low at 2p, high at 2p + 1. */
  start: Uint32Array;
  end: Uint32Array;
  /** Ids as two words a row. */
  spanId: Int32Array;
  parentId: Int32Array;
  kind: Uint8Array;
}

/** Reads the keys of all rows of a segment. */
export function readKeys({ windows, rows }: Segment, buffers: Buffers, seed: number): RowKeys {
  const start = buffers.uint32('start', 2 * rows);
  const end = buffers.uint32('end', 2 * rows);
  const spanId = buffers.int32('spanId', 2 * rows);
  const parentId = buffers.int32('parentId', 2 * rows);
  const delta = buffers.int32('delta', rows);
  const kinds = buffers.int32('kinds', rows);
  const kind = buffers.uint8('kind', rows);
  parentId.fill(0, 0, 2 * rows);
  delta.fill(NO_PARENT, 0, rows);
  for (const window of windows) {
    const { from, to, base } = window;
    const range = { from, to };
    reading(window, () => {
      decodeHalves(chunkOf(window, 'start'), start, base, range);
      // Durations first; ends are made of them.
      decodeHalves(chunkOf(window, 'duration'), end, base, range);
      decodeFixed(chunkOf(window, 'span_id'), 8, bytesOf(spanId), base, range);
      decodeIntegers(chunkOf(window, 'kind'), kinds, base, { range, limit: 256 });
      const parent = optionalChunk(window, 'parent_id');
      if (parent !== undefined) decodeFixed(parent, 8, bytesOf(parentId), base, range);
      const deltas = optionalChunk(window, 'parent');
      if (deltas !== undefined) decodeIntegers(deltas, delta, base, { range });
    });
  }
  for (let row = 0; row < rows; row++) kind[row] = kinds[row] as number;
  const gather = new TableGather('spans', windows.map(pieceOf), rows, seed);
  const exact = gather.has('overflow') && someZero(end, rows) ? exactEnds(gather.sparse('overflow'), end) : [];
  endsOf(start, end, rows, end);
  for (const { row, low, high } of exact) {
    end[2 * row] = low;
    end[2 * row + 1] = high;
  }
  for (const { window, first, end: last } of spansOfInputs(windows)) {
    const part = (array: Int32Array, width: number): Int32Array => array.subarray(width * first, width * last);
    reading(window, () => completeParents(part(parentId, 2), part(delta, 1), part(spanId, 2), last - first));
  }
  return { start, end, spanId, parentId, kind };
}

function reading({ input }: Window, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw damageOf(error, input.id, 'spans');
  }
}

function chunkOf(window: Window, name: string): LoadedChunk {
  const chunk = optionalChunk(window, name);
  if (chunk === undefined) throw dataError('block-row', `rows have no ${name}, which every row has`);
  return chunk;
}

/** Undefined where no row has a value. */
function optionalChunk({ input, spans }: Window, name: string): LoadedChunk | undefined {
  const number = input.column('spans', name);
  const layout = spans.chunks[number] as ChunkLayout;
  if (layout.pages.length === 0) return undefined;
  return { schema: (spans.columns[number] as TableColumnLayout).schema, layout, group: spans.bytes, cache: NO_CACHE };
}

/** All rows of a window, where they lie in the segment. */
function pieceOf({ input, spans, from, to, base }: Window): Piece {
  const runs = {
    count: 1,
    source: Int32Array.of(0),
    target: Int32Array.of(base),
    length: Int32Array.of(to - from),
  };
  return { input, group: spans, from, to, runs };
}

/** Positions of each input: its windows lie side by side, and traces are whole in them. */
function spansOfInputs(windows: readonly Window[]) {
  const spans: { window: Window; first: number; end: number }[] = [];
  for (const window of windows) {
    const { base, from, to } = window;
    const last = spans.at(-1);
    if (last?.window.input === window.input) last.end = base + to - from;
    else spans.push({ window, first: base, end: base + to - from });
  }
  return spans;
}

function bytesOf(words: Int32Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(words.buffer);
}

function someZero(halves: Uint32Array, rows: number): boolean {
  for (let at = 0; at < 2 * rows; at += 2) if (halves[at] === 0 && halves[at + 1] === 0) return true;
  return false;
}
