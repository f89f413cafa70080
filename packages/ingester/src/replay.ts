import { type Clock, isKind, type Random } from '@vivace/kernel';
import type { Logger } from '@vivace/telemetry';
import type { SealedStream, SegmentPosition, WriteAheadLog } from '@vivace/wal';
import { retried } from './retried.ts';

/** What replay needs of the ingester. */
export interface ReplayTarget {
  log: WriteAheadLog;
  clock: Clock;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
  /** How far the tenant's blocks cover the stream. */
  covered(tenant: string, stream: string): Promise<number>;
  /** Resolves when the heads have room for more. Not asked within a segment: a head can only be sealed between two. */
  room(): Promise<void>;
  /** Adds a record to the tenant's head of the stream. Returns why, when it was refused whole or in part. */
  add(at: SegmentPosition, tenant: string, record: Uint8Array): Promise<string | undefined>;
  /** Every record of a segment was added; `last`: and of the stream. */
  endSegment(stream: string, last: boolean): Promise<void>;
  done(stream: string): void;
}

/**
 * Takes over the streams of dead processes, oldest first: seals each, reads what blocks do not cover yet into
 * heads, and has them cut. Damage is reported and stepped over; what lies behind it was acknowledged too. A
 * store or disk that fails is waited for. Rejects only once the signal is aborted.
 */
export async function replayStreams(streams: readonly string[], target: ReplayTarget): Promise<void> {
  for (const stream of [...streams].sort()) await replayStream(stream, target);
}

async function replayStream(stream: string, target: ReplayTarget): Promise<void> {
  const { logger } = target;
  const sealed = await retried('taking a stream over', () => sealUnlessTaken(stream, target), target);
  if (sealed === undefined) return target.done(stream);
  const { segments, damage } = sealed;
  for (const { segment, offset, bytes, reason } of damage) {
    logger.warn({ stream, segment, offset, bytes }, `the log was damaged there: ${reason}`);
  }
  const covered = new Map<string, number>();
  for (const tenant of new Set(segments.flatMap(({ tenants }) => tenants))) {
    covered.set(tenant, await retried('reading the coverage', () => target.covered(tenant, stream), target));
  }
  let records = 0;
  for (const { segment, tenants } of segments) {
    if (tenants.some((tenant) => segment > (covered.get(tenant) as number))) {
      await target.room();
      records += await replaySegment({ stream, segment }, covered, target);
    }
    await target.endSegment(stream, false);
  }
  await target.endSegment(stream, true);
  target.done(stream);
  if (records > 0) logger.info({ stream, records }, 'replayed the log of a previous process');
}

/** Undefined where there is nothing to take over: its process is alive after all, or somebody else has closed it. */
async function sealUnlessTaken(
  stream: string,
  { log, logger, signal }: ReplayTarget,
): Promise<SealedStream | undefined> {
  try {
    return await log.seal(stream, signal);
  } catch (error) {
    if (!isKind(error, 'conflict', 'not-found')) throw error;
    logger.info({ stream, code: error.code }, `the stream is not taken over: ${error.message}`);
    return undefined;
  }
}

/** Returns how many records were added. */
async function replaySegment(
  at: SegmentPosition,
  covered: ReadonlyMap<string, number>,
  target: ReplayTarget,
): Promise<number> {
  const { log, logger, signal } = target;
  let read = 0;
  let added = 0;
  const readOn = async () => {
    let index = 0;
    for await (const { tenant, bytes } of log.read(at, signal)) {
      // After a failure: where it was.
      if (index++ < read) continue;
      read = index;
      if (at.segment <= (covered.get(tenant) ?? 0)) continue;
      const problem = await target.add(at, tenant, bytes);
      if (problem !== undefined) logger.warn({ ...at, tenant }, `spans of a record were not replayed: ${problem}`);
      added++;
    }
  };
  const readWhatIsThere = async () => {
    try {
      await readOn();
    } catch (error) {
      if (!isKind(error, 'data', 'not-found')) throw error;
      logger.error({ ...at, code: error.code, records: read }, `the rest of a segment is lost: ${error.message}`);
    }
  };
  await retried('reading the log', readWhatIsThere, target);
  return added;
}
