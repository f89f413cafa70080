import { hostname } from 'node:os';
import { type Config, logBackend } from '@vivace/config';
import { type Clock, type Random, systemFiles, toVivaceError } from '@vivace/kernel';
import { isLockFile, type ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import { openBucketLog, openDiskLog, type WriteAheadLog } from '@vivace/wal';

/** Calls that fail while the store is down are told of at most so often. */
const TELL_INTERVAL_MS = 10_000;

/** The log that acknowledgements rest on, on the disk or in the bucket. */
export async function openLog(
  config: Config,
  options: {
    store: ObjectStore;
    clock: Clock;
    random: Random;
    logger: Logger;
    signal: AbortSignal;
    /** For a log in a bucket: how long its streams are there before they take records. */
    acceptAfterMs: number;
  },
): Promise<WriteAheadLog> {
  const { clock, random, logger } = options;
  const { wal } = config.ingester;
  const limits = {
    segmentMaxBytes: wal.segment_max_bytes,
    maxUndurableBytes: wal.max_undurable_bytes,
    maxBytes: wal.max_bytes,
  };
  if (logBackend(config) === 'disk') {
    return openDiskLog({
      files: systemFiles,
      clock,
      random,
      directory: config.storage.trace.wal.path,
      limits: { ...limits, groupMaxBytes: wal.sync_bytes, groupDelayMs: wal.sync_interval },
      onEvent: (event) => {
        if (event.kind === 'unknown-file' && isLockFile(event.file)) return;
        logger.warn(event, `log: ${event.kind}`);
      },
    });
  }
  let toldMs = Number.NEGATIVE_INFINITY;
  return openBucketLog({
    ...options,
    instance: config.ingester.instance_name || hostname(),
    limits: { ...limits, batchMaxDelayMs: wal.put_delay, acceptAfterMs: options.acceptAfterMs },
    onEvent: (event) => {
      if (event.kind !== 'failed') {
        logger.warn(event, `log: ${event.kind}`);
        return;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs - toldMs < TELL_INTERVAL_MS) return;
      toldMs = nowMs;
      const { code, message } = toVivaceError(event.error);
      logger.warn({ code }, `log: ${event.what} failed and is tried again: ${message}`);
    },
  });
}
