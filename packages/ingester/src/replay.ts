import type { Logger } from '@vivace/telemetry';
import type { SegmentPosition, WriteAheadLog } from '@vivace/wal';

/** What replay needs of the ingester. */
export interface ReplayTarget {
  log: WriteAheadLog;
  logger: Logger;
  signal: AbortSignal;
  /** How far the tenant's blocks cover the stream. */
  covered(tenant: string, stream: string): Promise<number>;
  /** Adds a record to the tenant's head of the stream. Returns why, when it cannot be decoded. */
  add(at: SegmentPosition, tenant: string, record: Uint8Array): Promise<string | undefined>;
  /** Every record of a segment was added; `last`: and of the stream. */
  endSegment(stream: string, last: boolean): Promise<void>;
  done(stream: string): void;
}

/**
 * Takes over the streams of dead processes, oldest first: seals each, reads what blocks do not cover yet into
 * heads, and has them cut. Damage is reported and stepped over; what lies behind it was acknowledged too.
 */
export async function replayStreams(streams: readonly string[], target: ReplayTarget): Promise<void> {
  for (const stream of [...streams].sort()) await replayStream(stream, target);
}

async function replayStream(stream: string, target: ReplayTarget): Promise<void> {
  const { log, logger, signal } = target;
  const { segments, damage } = await log.seal(stream, signal);
  for (const { segment, offset, bytes, reason } of damage) {
    logger.warn({ stream, segment, offset, bytes }, `the log was damaged there: ${reason}`);
  }
  const covered = new Map<string, number>();
  for (const { tenants } of segments) {
    for (const tenant of tenants) {
      if (!covered.has(tenant)) covered.set(tenant, await target.covered(tenant, stream));
    }
  }
  let records = 0;
  for (const { segment, tenants } of segments) {
    if (tenants.some((tenant) => segment > (covered.get(tenant) as number))) {
      for await (const { tenant, bytes } of log.read({ stream, segment }, signal)) {
        if (segment <= (covered.get(tenant) ?? 0)) continue;
        const problem = await target.add({ stream, segment }, tenant, bytes);
        if (problem !== undefined) logger.warn({ stream, segment, tenant }, `a record cannot be replayed: ${problem}`);
        records++;
      }
    }
    await target.endSegment(stream, false);
  }
  await target.endSegment(stream, true);
  target.done(stream);
  if (records > 0) logger.info({ stream, records }, 'replayed the log of a previous process');
}
