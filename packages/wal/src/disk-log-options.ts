import type { Clock, Files, Random } from '@vivace/kernel';
import type { SegmentDamage, SegmentPosition } from './log.ts';

export interface DiskLogOptions {
  files: Files;
  clock: Clock;
  random: Random;
  /** Holds one directory a stream. Made when it is missing; one process at a time may use it. */
  directory: string;
  /** Milliseconds since 1970 that stream ids are stamped with: the store's clock. Default: `clock`. */
  idTimeMs?: () => number;
  limits?: Partial<DiskLogLimits>;
  /** For the process's log and metrics. Must not throw. */
  onEvent?: (event: DiskLogEvent) => void;
}

export interface DiskLogLimits {
  /** A segment that holds a record gets no record that would make it longer. */
  segmentMaxBytes: number;
  /** Records that wait for a sync do not wait longer once there are so many bytes of them. */
  groupMaxBytes: number;
  /**
   * Syncs begin at least so far apart while records arrive faster than they are synced; a record that finds
   * nothing in flight never waits. On a disk that syncs in 0.25 ms, 5,000 records of 2 kB a second cost 670 syncs
   * a second with 0 ms, 250 with 5 ms and 50 with 20 ms, at 0.15 ms of CPU each; but 20 ms halves what four
   * clients that wait for their acks can send.
   */
  groupDelayMs: number;
  /**
   * Headers and groups are filled up to a multiple of so many bytes, 4096 or 1. With 4096 they pass by the system's
   * page cache where it allows that (`Files.create`): a log is synced at once and read only after a crash, so copies
   * of it in memory serve nobody. Writing 450 MB in groups of 1 MB, each synced, took 0.74 s of system time through
   * the cache and 0.11 s past it.
   */
  blockBytes: number;
  /** Bytes of records that are not durable yet. A longer record is refused for good. */
  maxUndurableBytes: number;
  /** Bytes on the disk. */
  maxBytes: number;
  /** After a failure the disk is tried at most so often. */
  probeIntervalMs: number;
  /** An older stream gets no further segment: streams older than two days cannot be committed any more. */
  streamMaxAgeMs: number;
}

export const DISK_LOG_DEFAULTS: DiskLogLimits = {
  segmentMaxBytes: 8 * 1024 * 1024,
  groupMaxBytes: 4 * 1024 * 1024,
  groupDelayMs: 5,
  blockBytes: 4096,
  maxUndurableBytes: 64 * 1024 * 1024,
  maxBytes: 4 * 1024 * 1024 * 1024,
  probeIntervalMs: 1000,
  streamMaxAgeMs: 24 * 60 * 60 * 1000,
};

export type DiskLogEvent =
  /** A name in the directory that the log did not make. It is left alone. */
  | { kind: 'unknown-file'; file: string }
  /** Found by `seal`. */
  | { kind: 'damage'; stream: string; damage: SegmentDamage }
  /** A write or sync failed. What was not durable is rejected, and the next append begins a new stream. */
  | { kind: 'failed'; at: SegmentPosition; error: unknown }
  /** The first record after a failure is durable. */
  | { kind: 'recovered'; at: SegmentPosition };
