import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/** A segment of the trace index, as the root names it. What is in it: packages/trace-index/FORMAT.md. */
export interface TraceSegment {
  id: string;
  /** The day (since 1970) of the latest commit of a block in it. */
  day: number;
  /** It knows the traces of the blocks with the ordinals `first … end - 1`, but for the holes: ascending. */
  first: number;
  end: number;
  holes: readonly number[];
  buckets: number;
  /** Bytes a bucket. */
  stride: number;
  /** Traces, counted once a block. */
  entries: number;
}

/** Replaces segments of the trace index; see `ManifestEdit.index`. */
export interface IndexEdit {
  add: readonly TraceSegment[];
  /** Ids. */
  remove: readonly string[];
}

export const SEGMENT_MIN_BYTES = 16 + 7;
/** So many segments leave a root its room. */
export const MAX_SEGMENTS = 256;
export const MAX_HOLES = 64;

export function writeSegment(writer: ByteWriter, segment: TraceSegment): void {
  writer.id(segment.id);
  writer.varint(segment.day);
  writer.varint(segment.first);
  writer.varint(segment.end);
  writer.varint(segment.buckets);
  writer.varint(segment.stride);
  writer.varint(segment.entries);
  writer.varint(segment.holes.length);
  for (const hole of segment.holes) writer.varint(hole);
}

export function readSegment(reader: ByteReader): TraceSegment {
  const segment = {
    id: reader.uuid(),
    day: reader.varint(),
    first: reader.varint(),
    end: reader.varint(),
    buckets: reader.varint(),
    stride: reader.varint(),
    entries: reader.varint(),
    holes: [] as number[],
  };
  for (let left = reader.count(1); left > 0; left--) segment.holes.push(reader.varint());
  return segment;
}

/** What keeps an index edit from fitting a root, for ever; undefined: it fits. */
export function indexMisfit(
  { add, remove }: IndexEdit,
  { segments, nextOrdinal }: { segments: readonly TraceSegment[]; nextOrdinal: number },
): string | undefined {
  const known = new Set(segments.map(({ id }) => id));
  for (const id of remove) if (!known.has(id)) return `a segment of the trace index is not live any more: ${id}`;
  const kept = segments.filter(({ id }) => !remove.includes(id));
  const all = [...kept, ...add].sort((a, b) => a.first - b.first);
  if (all.length > MAX_SEGMENTS) return 'the trace index has too many segments';
  if (!areDisjoint(all, nextOrdinal)) return 'segments of the trace index overlap';
  return undefined;
}

/** Whether segments, in the order of their ordinals, name each at most once, and none that there is not. */
export function areDisjoint(segments: readonly TraceSegment[], nextOrdinal: number): boolean {
  let at = 0;
  for (const { first, end, holes } of segments) {
    if (first < at || end <= first || holes.length > MAX_HOLES) return false;
    let hole = first - 1;
    for (const one of holes) {
      if (one <= hole || one >= end) return false;
      hole = one;
    }
    at = end;
  }
  return at <= nextOrdinal;
}
