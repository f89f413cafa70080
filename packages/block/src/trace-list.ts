import { crc32, dataError } from '@vivace/kernel';
import type { TraceGroup } from './block-index.ts';
import { ByteReader } from './byte-reader.ts';

/** The traces of one row group of spans, as the index lists them. */
export interface TraceList {
  count: number;
  /** How many ids begin with eight zero bytes; of these the last eight bytes are listed, of others the first eight. */
  padded: number;
  /** Eight bytes a trace, ascending within each of the two kinds. */
  ids: Uint8Array;
  /** Spans of each trace in the group: varints. */
  counts: Uint8Array;
}

/** Reads a group's piece of the trace list. */
export function decodeTraceList(piece: Uint8Array, { list }: TraceGroup): TraceList {
  if (piece.length !== list.length || crc32(piece) !== list.crc) {
    throw dataError('block-index', 'the trace list of a block is damaged');
  }
  const input = new ByteReader(piece);
  const count = input.varintUpTo(Math.floor(piece.length / 9));
  const padded = input.varintUpTo(count);
  return { count, padded, ids: input.view(8 * count), counts: input.view(input.end - input.at) };
}

/**
 * Traces of the list that may have an id: positions `from … to - 1`, more than one where ids share their first
 * eight bytes. Empty: the block does not have it.
 */
export function findTraces(list: TraceList, id: Uint8Array): { from: number; to: number } {
  const padded = id.subarray(0, 8).every((byte) => byte === 0);
  const part = padded ? id.subarray(8) : id.subarray(0, 8);
  const first = padded ? 0 : list.padded;
  const end = padded ? list.padded : list.count;
  return { from: bound(list.ids, part, first, end, 0), to: bound(list.ids, part, first, end, 1) };
}

/** First position whose id sorts at or after (`past` 0), or after (`past` 1) `part`. */
function bound(ids: Uint8Array, part: Uint8Array, from: number, to: number, past: 0 | 1): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let difference = 0;
    for (let i = 0; i < 8 && difference === 0; i++) {
      difference = (ids[8 * middle + i] as number) - (part[i] as number);
    }
    if (difference < past) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rows of a trace of the list, from the group's first row. */
export function traceRows(list: TraceList, position: number): { from: number; to: number } {
  const { counts } = list;
  let from = 0;
  let at = 0;
  let i = 0;
  // Nearly all are of one byte, and there are thousands.
  for (; i < position && (counts[at] as number) < 128; i++) from += counts[at++] as number;
  const input = new ByteReader(counts, at);
  for (; i < position; i++) from += input.varint();
  return { from, to: from + input.varint() };
}
