import type { BlockShape } from './block-shape.ts';
import { ByteWriter } from './byte-writer.ts';

/** The traces of one row group of spans, as the index has them. */
export interface TraceListPiece {
  /** Number of the group's first trace among those of the block, and its id. */
  firstTrace: number;
  firstTraceId: Uint8Array;
  /** See `TraceList`. */
  bytes: Uint8Array;
}

/**
 * Trace ids of each row group: how many, how many of them begin with eight zero bytes (ids of 64 bits padded to
 * 128), eight bytes of each (the last eight of those, the first eight of the others), then the spans of each.
 *
 * @param base Number in the block of the first trace of the shape.
 */
export function traceListPieces(shape: BlockShape, base: number): TraceListPiece[] {
  const { groupTrace, traceFirst, spans } = shape;
  const pieces: TraceListPiece[] = [];
  const out = new ByteWriter(1 << 16);
  for (let group = 0; group + 1 < spans.groups.length; group++) {
    const first = groupTrace[group] as number;
    const end = Math.max(first + 1, groupTrace[group + 1] as number);
    let padded = 0;
    for (; first + padded < end; padded++) {
      if (traceId(shape, first + padded).some((byte, i) => i < 8 && byte !== 0)) break;
    }
    out.reset();
    out.varint(end - first);
    out.varint(padded);
    for (let trace = first; trace < end; trace++) {
      const id = traceId(shape, trace);
      out.bytes(trace < first + padded ? id.subarray(8) : id.subarray(0, 8));
    }
    for (let trace = first; trace < end; trace++) {
      const from = Math.max(traceFirst[trace] as number, spans.groups[group] as number);
      const to = Math.min(traceFirst[trace + 1] as number, spans.groups[group + 1] as number);
      out.varint(to - from);
    }
    pieces.push({ firstTrace: base + first, firstTraceId: traceId(shape, first).slice(), bytes: out.take() });
  }
  return pieces;
}

/** Id of a trace of the shape, a view. */
export function traceId({ set, order, traceFirst }: BlockShape, trace: number): Uint8Array {
  const code = set.trace[order[traceFirst[trace] as number] as number] as number;
  return set.traceIds.subarray(16 * code, 16 * code + 16);
}
