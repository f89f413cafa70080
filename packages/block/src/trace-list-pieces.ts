import { inSteps } from '@vivace/kernel';
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
    const padded = countPadded(shape, first, end);
    out.reset();
    out.varint(end - first);
    out.varint(padded);
    writeIds(out, shape, first, first + padded, 8);
    writeIds(out, shape, first + padded, end, 0);
    writeSpanCounts(out, traceFirst, first, end, spans.groups[group] as number, spans.groups[group + 1] as number);
    pieces.push({ firstTrace: base + first, firstTraceId: traceId(shape, first).slice(), bytes: out.take() });
  }
  return pieces;
}

/** Traces from `first` on whose ids begin with eight zero bytes. */
function countPadded(shape: BlockShape, first: number, end: number): number {
  let trace = first;
  while (trace < end && startsWithZeros(shape.set.traceIds, codeOf(shape, trace))) trace++;
  return trace - first;
}

function startsWithZeros(ids: Uint8Array, code: number): boolean {
  for (let i = 0; i < 8; i++) if (ids[16 * code + i] !== 0) return false;
  return true;
}

/** Eight bytes of each id, the first or, `from` 8, the last ones. */
function writeIds(out: ByteWriter, shape: BlockShape, first: number, end: number, from: 0 | 8): void {
  out.ensure(8 * (end - first));
  inSteps(end - first, writeSomeIds, out, shape, first, from);
}

function writeSomeIds(
  fromTrace: number,
  toTrace: number,
  out: ByteWriter,
  shape: BlockShape,
  first: number,
  from: 0 | 8,
): void {
  const { traceIds } = shape.set;
  for (let trace = first + fromTrace; trace < first + toTrace; trace++) {
    const at = 16 * codeOf(shape, trace) + from;
    for (let i = 0; i < 8; i++) out.buffer[out.length++] = traceIds[at + i] as number;
  }
}

/** Spans that each trace has in the row group `from … to - 1`. */
function writeSpanCounts(
  out: ByteWriter,
  traceFirst: Int32Array,
  first: number,
  end: number,
  from: number,
  to: number,
): void {
  for (let trace = first; trace < end; trace++) {
    out.varint(Math.min(traceFirst[trace + 1] as number, to) - Math.max(traceFirst[trace] as number, from));
  }
}

/** Id of a trace of the shape, a view. */
export function traceId(shape: BlockShape, trace: number): Uint8Array {
  const code = codeOf(shape, trace);
  return shape.set.traceIds.subarray(16 * code, 16 * code + 16);
}

function codeOf({ set, order, traceFirst }: BlockShape, trace: number): number {
  return set.trace[order[traceFirst[trace] as number] as number] as number;
}
