/**
 * The write-ahead log: what an ingester has acknowledged and blocks do not hold yet. A *stream* is
 * numbered segments 1, 2, 3 … written by one process; a record lies in exactly one segment. One
 * interface for the disk and the bucket, with one meaning (docs/storage-protocol.md).
 */
export interface WriteAheadLog {
  /** Whether others may take an own stream over while the log is open. */
  readonly shared: boolean;

  /**
   * Where the next append goes, unless it does not fit any more. The stream changes after a failed write or sync,
   * a fence, or when it got too old.
   */
  readonly position: SegmentPosition;

  /**
   * Adds a record. The segment is decided at once and in call order; `durable` resolves when the record and
   * everything before it in the stream are on stable storage, and rejects when they are not: such a record was
   * never acknowledged and may or may not be found by a later read. Ignoring `durable` is allowed.
   *
   * Rejects with `unavailable` and `retryAfterMs` when the write failed, when the bytes that wait for stable
   * storage or the whole log would pass their bound, while a failed disk is not tried again, and after `stop`; with `limited`
   * (and no `retryAfterMs`) when the record can never fit. Throws `invalid` for a tenant that is no tenant id.
   * The bytes must not change until `durable` has settled.
   */
  append(tenant: string, record: Uint8Array): { position: SegmentPosition; durable: Promise<void> };

  /** Ends the open segment, if it holds a record. Later appends go to a higher number. Returns the last segment that may hold records. */
  rotate(): SegmentPosition;

  /** Streams that this log holds: its own, and those of dead processes, found at the start or by `look`. */
  streams(): StreamState[];

  /**
   * Looks for streams of other processes, again after the start. Also forgets own streams that somebody else has taken
   * over and closed. On a disk nobody else comes while the log is open.
   */
  look(signal: AbortSignal): Promise<OtherStreams>;

  /**
   * Takes a stream over from a dead process: cuts a torn tail, reports it, and fixes what the stream holds.
   * Idempotent. Afterwards nothing is appended to it by anyone. `conflict` for the stream that is open and for one
   * whose process turns out to be alive, `not-found` for one that the log does not hold or that was closed meanwhile,
   * `unavailable` when it cannot be read or fixed now.
   */
  seal(stream: string, signal: AbortSignal): Promise<SealedStream>;

  /**
   * The records of one segment, each tenant's in append order; of one tenant only, when named. Damage that `seal` has not
   * already cut off is a `data` error, a segment that is gone `not-found`. Of an own segment: what is durable
   * when the reading begins.
   */
  read(at: SegmentPosition, signal: AbortSignal, tenant?: string): AsyncIterable<LogRecord>;

  /**
   * Removes the segments of a stream up to and including `segment`, in ascending order; the stream itself when it
   * is sealed and nothing is left. Idempotent. `conflict` for the segment that appends go to and those after it.
   */
  drop(at: SegmentPosition): Promise<void>;

  /** Bytes on the disk or in the bucket, and on the way there, for back-pressure and `/metrics`. */
  readonly bytes: number;

  /** Bytes of records that are not durable yet. */
  readonly undurableBytes: number;

  /** Makes durable what was appended, then refuses appends. Idempotent. */
  stop(): Promise<void>;
}

export interface OtherStreams {
  /** Those found now that may be taken over: they are in `streams()` from now on. */
  found: readonly string[];
  /** Those of processes that live, or are not known to be dead: what they hold is not here. */
  foreign: readonly ForeignStream[];
}

export interface ForeignStream {
  stream: string;
  /** The name of its process; empty where it is not known. */
  instance: string;
}

export interface SegmentPosition {
  /** UUIDv7 */
  stream: string;
  /** 1, 2, 3 …; 0 is "before the first". */
  segment: number;
}

export interface StreamState {
  stream: string;
  /** True for the stream that this process appends to. */
  open: boolean;
  /** Ascending. */
  segments: SegmentState[];
}

export interface SegmentState {
  segment: number;
  bytes: number;
  /**
   * Tenants with durable records in the segment; of a segment of a dead process known only after `seal`. A
   * segment without tenants holds nothing that can be read.
   */
  tenants: readonly string[];
}

export interface SealedStream {
  stream: string;
  segments: SegmentState[];
  /** What was cut off or unreadable, for the log and the start report. */
  damage: SegmentDamage[];
}

export interface SegmentDamage {
  segment: number;
  /** Where the first byte that is not right stands. */
  offset: number;
  /** From there to the end of the segment; 0 for a segment that is empty or missing. */
  bytes: number;
  /** True when the bytes were cut off; false when they are still there but are not read. */
  cut: boolean;
  reason: string;
}

export interface LogRecord {
  tenant: string;
  bytes: Uint8Array;
}
