import { isKind, type Random, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { isPreconditionFailed, type Patience, persistently } from './bucket-calls.ts';
import {
  OBJECT_MAX_BYTES,
  parseSegmentKey,
  SEAL_BYTES,
  type Section,
  segmentKey,
  segmentsPrefix,
} from './bucket-layout.ts';
import { readLease } from './bucket-lease-keeper.ts';
import { encodeSeal, readSegmentEnd, type SegmentFooter } from './bucket-segment.ts';
import { NONCE_BYTES } from './layout.ts';
import { listPages } from './list-pages.ts';
import type { SegmentDamage, SegmentPosition, SegmentState } from './log.ts';

/** A stream of another process that may be taken over, or is. */
export interface FoundStream {
  id: string;
  /** Ascending; before `seal` as they were listed. */
  segments: FoundSegment[];
  /** Where the seal stands; undefined before `seal`. */
  sealedAt: number | undefined;
  /** True when a process of the same name or one that has stopped left it: its lease may be young. */
  atOnce: boolean;
  damage: SegmentDamage[];
}

interface FoundSegment {
  number: number;
  bytes: number;
  tenants: readonly string[];
}

/** The end of an object that is read first: the footer of a segment with some dozens of tenants. */
const TAIL_BYTES = 4096;
const TAILS_AHEAD = 32;
const SEGMENTS_MAX = 1_000_000;

/** All objects of a stream with numbers above `above`, ascending. */
export async function listSegments(
  store: ObjectStore,
  stream: string,
  above: number,
  signal?: AbortSignal,
): Promise<{ number: number; size: number }[]> {
  const found: { number: number; size: number }[] = [];
  const after = segmentKey({ stream, segment: above });
  for await (const { objects } of listPages(store, segmentsPrefix(stream), signal, after)) {
    for (const { key, size } of objects) {
      const at = parseSegmentKey(key);
      if (at !== undefined) found.push({ number: at.segment, size });
    }
    if (found.length > SEGMENTS_MAX) throw damaged(`stream ${stream} has more segments than a day can make`);
  }
  return found;
}

/** The sections of a segment; `seal` for a seal, undefined where there is no object. Throws `data`. */
export async function readFooter(
  store: ObjectStore,
  at: SegmentPosition,
  size: number,
  signal?: AbortSignal,
): Promise<readonly Section[] | 'seal' | undefined> {
  try {
    const { footer } = await readTail(store, at, size, TAIL_BYTES, signal);
    return footer === 'seal' ? footer : footer.sections;
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** What the end of a segment says, and its last bytes: at least `least`, or all that there are. Throws `data`. */
export async function readTail(
  store: ObjectStore,
  at: SegmentPosition,
  size: number,
  least: number,
  signal?: AbortSignal,
): Promise<{ footer: SegmentFooter | 'seal'; tail: Uint8Array }> {
  if (size > OBJECT_MAX_BYTES) throw damaged(`the object has ${size} bytes`);
  let length = Math.min(size, least);
  try {
    for (;;) {
      const range = { offset: size - length, length: Math.max(1, length) };
      const options = signal === undefined ? { range } : { range, signal };
      const { bytes: tail } = await store.get(segmentKey(at), options);
      const footer = readSegmentEnd(at, tail, size);
      if (typeof footer !== 'number') return { footer, tail };
      length = footer;
    }
  } catch (error) {
    // It is not what was listed any more.
    if (isKind(error, 'invalid')) throw damaged('the object is empty or has changed');
    throw error;
  }
}

export interface Sealer {
  store: ObjectStore;
  random: Random;
  patience: Patience;
  /** A younger lease is somebody's who lives. */
  leaseMaxAgeMs: number;
  signal: AbortSignal;
}

/**
 * Takes a stream over: puts a seal at the first missing number above `dropped`, which fixes what the stream holds.
 * `conflict` when its owner is alive after all; `not-found` when it was closed meanwhile.
 */
export async function sealFoundStream(stream: FoundStream, sealer: Sealer): Promise<void> {
  const { id } = stream;
  const { store, patience, signal, leaseMaxAgeMs } = sealer;
  const lease = () => persistently('reading a lease', () => readLease(store, id, signal), patience, signal);
  const first = await lease();
  if (!stream.atOnce && first.lease?.released !== true && first.ageMs <= leaseMaxAgeMs) {
    throw new VivaceError('conflict', 'log-stream-alive', `the owner of stream ${id} is alive`);
  }
  for (let dropped = first.lease?.dropped; ; ) {
    const sealed = await putSeal(id, dropped, sealer);
    // The seal may stand in a hole that the owner has made since: raised `dropped`, then deleted what is below.
    const { lease: now } = await lease();
    if (now !== undefined && now.dropped >= sealed.sealedAt) {
      dropped = now.dropped;
      continue;
    }
    Object.assign(stream, sealed);
    if (first.lease === undefined) stream.damage.unshift(damageAt(0, 0, 'the lease of the stream cannot be read'));
    return;
  }
}

/** `dropped` is undefined where no lease says it: what is there begins with the lowest segment then. */
async function putSeal(
  id: string,
  dropped: number | undefined,
  { store, random, patience, signal }: Sealer,
): Promise<Pick<FoundStream, 'sealedAt' | 'segments' | 'damage'> & { sealedAt: number }> {
  const segments: FoundSegment[] = [];
  const damage: SegmentDamage[] = [];
  const list = () => listSegments(store, id, dropped ?? 0, signal);
  const listed = await persistently('listing a stream', list, patience, signal);
  let next = dropped === undefined ? (listed[0]?.number ?? 1) : dropped + 1;

  /** Notes what is at a number; true when that is a seal. */
  const note = (number: number, size: number, end: readonly Section[] | 'seal' | VivaceError): boolean => {
    if (end === 'seal') return true;
    if (end instanceof VivaceError) damage.push(damageAt(number, size, end.message));
    const tenants = end instanceof VivaceError ? [] : end.map(({ tenant }) => tenant);
    segments.push({ number, bytes: size, tenants });
    return false;
  };
  const look = async (number: number, size: number) => {
    const read = () => readFooter(store, { stream: id, segment: number }, size, signal);
    try {
      return await persistently('reading the end of a segment', read, patience, signal);
    } catch (error) {
      if (isKind(error, 'data')) return error;
      throw error;
    }
  };

  const looks: ReturnType<typeof look>[] = [];
  for (let at = 0; listed[at]?.number === next; at++) {
    while (looks.length < Math.min(listed.length, at + TAILS_AHEAD)) {
      const { number, size } = listed[looks.length] as { number: number; size: number };
      const looked = look(number, size);
      // It is waited for in its turn, or not needed.
      looked.catch(() => undefined);
      looks.push(looked);
    }
    const end = await looks[at];
    // Gone since the list: dropped.
    if (end === undefined) break;
    if (note(next, listed[at]?.size ?? 0, end)) return { sealedAt: next, segments, damage };
    next++;
  }

  const nonce = random.bytes(NONCE_BYTES);
  for (;;) {
    const at = { stream: id, segment: next };
    const put = () => store.put(segmentKey(at), [encodeSeal(at, nonce)], { only: 'absent', signal });
    try {
      await persistently('sealing a stream', put, patience, signal);
      return { sealedAt: next, segments, damage };
    } catch (error) {
      if (!isPreconditionFailed(error)) throw error;
    }
    const size = await persistently('reading a segment', () => sizeOf(store, segmentKey(at), signal), patience, signal);
    const end = size === undefined ? undefined : await look(next, size);
    // Gone since: dropped. The seal goes there, and is judged by what the lease says then.
    if (size === undefined || end === undefined) continue;
    if (note(next, size, end)) return { sealedAt: next, segments, damage };
    next++;
  }
}

/**
 * Deletes what is left of a stream that is closed, but no seal: what is above its seal, which was never acknowledged, and
 * what is dropped and still there, because whoever dropped it died before it was deleted.
 */
export async function deleteLeftovers(store: ObjectStore, stream: string, signal?: AbortSignal): Promise<void> {
  for (const { number, size } of await listSegments(store, stream, 0, signal)) {
    if (!(await isSeal(store, { stream, segment: number }, size, signal))) {
      await store.delete(segmentKey({ stream, segment: number }), signal === undefined ? {} : { signal });
    }
  }
}

/** True also for what may have been one before it was damaged. */
export async function isSeal(
  store: ObjectStore,
  at: SegmentPosition,
  size: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (size !== SEAL_BYTES) return false;
  try {
    return (await readFooter(store, at, size, signal)) === 'seal';
  } catch (error) {
    if (isKind(error, 'data')) return true;
    throw error;
  }
}

export function foundStates(stream: FoundStream): SegmentState[] {
  return stream.segments.map(({ number, bytes, tenants }) => ({ segment: number, bytes, tenants }));
}

async function sizeOf(store: ObjectStore, key: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await store.head(key, { signal })).size;
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

function damageAt(segment: number, bytes: number, reason: string): SegmentDamage {
  return { segment, offset: 0, bytes, cut: false, reason };
}

function damaged(message: string): VivaceError {
  return new VivaceError('data', 'log-segment', message);
}
