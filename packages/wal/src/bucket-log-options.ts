import type { Clock, Random } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { SegmentDamage, SegmentPosition } from './log.ts';

export interface BucketLogOptions {
  store: ObjectStore;
  clock: Clock;
  random: Random;
  /** Streams that an earlier process of this name left are taken over at once. */
  instance: string;
  /** Told in the lease, for people. Default: empty. */
  address?: string;
  limits?: Partial<BucketLogLimits>;
  /** For the process's log and metrics. Must not throw. */
  onEvent?: (event: BucketLogEvent) => void;
  /** Ends the opening. */
  signal?: AbortSignal;
}

export interface BucketLogLimits {
  /** Records go on their way at once when nothing is, else when they are so old … */
  batchMaxDelayMs: number;
  /** … or so many bytes before compression. At most 64 MiB. */
  segmentMaxBytes: number;
  /** Segments on their way at a time. */
  maxInFlight: number;
  /** Bytes of records that are not durable yet. A longer record is refused for good. */
  maxUndurableBytes: number;
  /** Bytes in the bucket, of own streams and of those being taken over. */
  maxBytes: number;
  /** A put that has no answer by then is sent again. */
  putTimeoutMs: number;
  /**
   * A record that is not durable by then is not acknowledged any more, though it is still put: its sender gives up after
   * 10 s by default, and had better be told when to come again. As long as there is such a record, appends are refused
   * at once.
   */
  ackTimeoutMs: number;
  /** A lease is written again so often. */
  leaseIntervalMs: number;
  /** A lease that was not, by the store's clock, lets others take the stream over. */
  leaseMaxAgeMs: number;
  /** An older stream gets no further record: streams older than two days cannot be committed any more. */
  streamMaxAgeMs: number;
  /**
   * Appends are taken so long after the lease of their stream is there: every list of streams in use has it then. A log
   * that was just opened refuses them until then, and streams of others can be taken over meanwhile.
   */
  acceptAfterMs: number;
  /** What closed streams have left is looked for about so often. */
  sweepIntervalMs: number;
  /** What is not durable by then is given up when the log stops. */
  stopTimeoutMs: number;
}

export const BUCKET_LOG_DEFAULTS: BucketLogLimits = {
  batchMaxDelayMs: 250,
  segmentMaxBytes: 8 * 1024 * 1024,
  maxInFlight: 4,
  maxUndurableBytes: 64 * 1024 * 1024,
  maxBytes: 4 * 1024 * 1024 * 1024,
  putTimeoutMs: 10_000,
  ackTimeoutMs: 8000,
  leaseIntervalMs: 10_000,
  leaseMaxAgeMs: 60_000,
  streamMaxAgeMs: 24 * 60 * 60 * 1000,
  acceptAfterMs: 0,
  sweepIntervalMs: 12 * 60 * 60 * 1000,
  stopTimeoutMs: 15_000,
};

export type BucketLogEvent =
  /** A key below `streams/` or `wal/` that the log did not make. It is left alone. */
  | { kind: 'unknown-key'; key: string }
  /** Found by `seal`, or a lease that cannot be read. */
  | { kind: 'damage'; stream: string; damage: SegmentDamage }
  /** Somebody else has taken an own stream over. What was not acknowledged is rejected; a new stream is opened. */
  | { kind: 'fenced'; at: SegmentPosition }
  /** Something that is not Vivace has deleted the lease of an own stream. It is put again, and the stream taken over. */
  | { kind: 'lease-deleted'; stream: string }
  /** A call failed and is repeated until it succeeds. */
  | { kind: 'failed'; what: string; error: unknown }
  /** A segment is durable after no put had succeeded for a while. */
  | { kind: 'recovered'; at: SegmentPosition };
