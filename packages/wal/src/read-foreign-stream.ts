import { type Clock, isKind, type VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { inTime } from './bucket-calls.ts';
import { listSegments, readTail } from './bucket-found-stream.ts';
import { type Section, segmentKey } from './bucket-layout.ts';
import { readLease } from './bucket-lease-keeper.ts';
import { decodeSection } from './bucket-segment.ts';
import { type Ahead, ReadAhead } from './read-ahead.ts';

/*
 * A stream of another process, read beside whoever writes it, takes it over or drops it. Nothing is sealed, written or
 * deleted. What was acknowledged before the list of its segments was begun lies in a segment that is listed, as do all
 * lower ones that are not dropped; or in one that was dropped, because the blocks of all tenants cover it.
 *
 * So a number that is missing, or a seal, is the end, unless the lease says that it was dropped. `dropped` is raised
 * before anything is deleted: a lease that is read after the list tells of all that the list has not for that reason.
 */

export interface ForeignStreamOptions {
  store: ObjectStore;
  clock: Clock;
  /** For one call of the store. */
  callTimeoutMs: number;
  signal: AbortSignal;
}

/** What a segment has of one tenant. */
export interface ForeignSegment {
  /** 0 where it is the lease that is damaged. */
  segment: number;
  /** In append order. */
  records: readonly Uint8Array[];
  /** Bytes that were read of the bucket for it. */
  bytes: number;
  /** Why what it has of the tenant cannot be read; there are no records then. */
  damage: string | undefined;
}

/** A segment is read whole up to so many bytes, which is one request; of a larger one the footer and the section. */
const WHOLE_BYTES = 256 * 1024;
/** Somebody waits for the answer, and a stream may have some thousand small segments. */
const OBJECTS_AHEAD = 48;

/** A section as it is stored; undefined where the segment has none of the tenant. */
interface ReadSegment {
  section: { of: Section; stored: Uint8Array; seed: number } | undefined;
  bytes: number;
}

/** What is at a number: `gone` where there was an object when it was listed. */
type Found = ReadSegment | VivaceError | 'seal' | 'gone';

/**
 * The tenant's records in all segments above `above` that were acknowledged when the reading began, but for those that
 * blocks cover: these are in each root that is read after the end. Damage is told and stepped over. Returns the last
 * segment that need not be read again. Errors of the store come through.
 */
export async function* readForeignStream(
  stream: string,
  tenant: string,
  above: number,
  options: ForeignStreamOptions,
): AsyncGenerator<ForeignSegment, number> {
  const listed = (await call(options, (signal) => listSegments(options.store, stream, above, signal))).map(
    ({ number, size }): Ahead => ({ number, bytes: size }),
  );
  const ahead = new ReadAhead((at) => find(stream, tenant, at, options), OBJECTS_AHEAD);
  let next = above + 1;
  for (let i = 0; i < listed.length; i++) {
    const at = listed[i] as Ahead;
    // Dropped since the list, and about to be deleted.
    if (at.number < next) continue;
    const found = at.number === next ? await ahead.next(listed.slice(i, i + OBJECTS_AHEAD)) : 'gap';
    if (typeof found === 'object') {
      yield decoded(at.number, found);
      next++;
      continue;
    }
    const dropped = await droppedOf(stream, options);
    if (dropped === undefined) {
      yield damageOf(0, 'the lease of the stream cannot be read');
      // What is there begins with the lowest segment then.
      if (found !== 'gap' || next !== above + 1) return next - 1;
      next = at.number;
      i--;
    } else if (dropped >= next) {
      if (dropped === Number.POSITIVE_INFINITY) return next - 1;
      next = dropped + 1;
      i--;
    } else if (found === 'gone') {
      yield damageOf(next, 'the segment is gone');
      next++;
    } else return next - 1;
  }
  return next - 1;
}

/** What a segment has of a tenant that was damaged when it was read before; the bytes may have been damaged on the way. */
export async function rereadForeignSegment(
  stream: string,
  tenant: string,
  segment: number,
  options: ForeignStreamOptions,
): Promise<ForeignSegment> {
  const found = await sizeOf(stream, segment, options).then(
    (bytes) => find(stream, tenant, { number: segment, bytes }, options),
    (error: unknown) => {
      if (isKind(error, 'not-found')) return 'gone' as const;
      throw error;
    },
  );
  if (typeof found === 'object') return decoded(segment, found);
  const dropped = found === 'seal' ? segment : await droppedOf(stream, options);
  if (dropped !== undefined && dropped >= segment) return { segment, records: [], bytes: 0, damage: undefined };
  return damageOf(segment, 'the segment is gone');
}

async function sizeOf(stream: string, segment: number, options: ForeignStreamOptions): Promise<number> {
  const { size } = await call(options, (signal) => options.store.head(segmentKey({ stream, segment }), { signal }));
  return size;
}

function call<T>(
  { clock, callTimeoutMs, signal }: ForeignStreamOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return inTime(work, callTimeoutMs, clock, signal);
}

/** All segments up to there are dropped: of a stream that is closed, all. Undefined where the lease does not say. */
async function droppedOf(stream: string, options: ForeignStreamOptions): Promise<number | undefined> {
  try {
    return (await call(options, (signal) => readLease(options.store, stream, signal))).lease?.dropped;
  } catch (error) {
    if (isKind(error, 'not-found')) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

async function find(
  stream: string,
  tenant: string,
  { number: segment, bytes: size }: Ahead,
  options: ForeignStreamOptions,
): Promise<Found> {
  const { store } = options;
  const at = { stream, segment };
  try {
    const { footer, tail } = await call(options, (signal) => readTail(store, at, size, WHOLE_BYTES, signal));
    if (footer === 'seal') return 'seal';
    const of = footer.sections.find((section) => section.tenant === tenant);
    if (of === undefined) return { section: undefined, bytes: tail.length };
    const { offset, length } = of;
    const tailAt = size - tail.length;
    if (offset >= tailAt) {
      const stored = tail.subarray(offset - tailAt, offset - tailAt + length);
      return { section: { of, stored, seed: footer.seed }, bytes: tail.length };
    }
    const range = { offset, length };
    const { bytes: stored } = await call(options, (signal) => store.get(segmentKey(at), { range, signal }));
    return { section: { of, stored, seed: footer.seed }, bytes: tail.length + stored.length };
  } catch (error) {
    if (isKind(error, 'not-found')) return 'gone';
    if (isKind(error, 'data', 'invalid')) return error;
    throw error;
  }
}

function decoded(segment: number, found: ReadSegment | VivaceError): ForeignSegment {
  if (!('section' in found)) return damageOf(segment, found.message);
  const { section, bytes } = found;
  if (section === undefined) return { segment, records: [], bytes, damage: undefined };
  const { of, stored, seed } = section;
  try {
    const records = Array.from(decodeSection(stored, { ...of, offset: 0 }, seed), (record) => record.bytes);
    return { segment, records, bytes, damage: undefined };
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    return { ...damageOf(segment, error.message), bytes };
  }
}

function damageOf(segment: number, damage: string): ForeignSegment {
  return { segment, records: [], bytes: 0, damage };
}
