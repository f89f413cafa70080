/**
 * The write-ahead log: what an ingester has acknowledged and blocks do not hold yet. A *stream* is
 * numbered segments 1, 2, 3 … written by one process; a record lies in exactly one segment. One
 * interface for the disk and the bucket, with one meaning (docs/storage-protocol.md).
 */
export interface WriteAheadLog {
  /** Where the next append goes. Changes when a failed sync or a fence made the log open a new stream. */
  readonly position: SegmentPosition;

  /**
   * Adds a record. The segment is decided at once and in call order; `durable` resolves when the record and
   * everything before it in the stream are on stable storage, and rejects (`unavailable`, or `limited` with
   * `retryAfterMs` when `maxUndurableBytes` or the disk is full) when they are not: such a record was never
   * acknowledged and may or may not be found by a later read.
   * The bytes must not change until `durable` has settled.
   */
  append(tenant: string, record: Uint8Array): { position: SegmentPosition; durable: Promise<void> };

  /** Ends the open segment, if it holds a record. Later appends go to a higher number. Returns the last segment that may hold records. */
  rotate(): SegmentPosition;

  /** Streams that this log holds: those of dead processes found at the start, and the open ones. */
  streams(): StreamState[];

  /**
   * Takes a stream over from a dead process: cuts a torn tail, reports it, and fixes what the stream holds.
   * Idempotent. Afterwards nothing is appended to it by anyone.
   */
  seal(stream: string, signal: AbortSignal): Promise<SealedStream>;

  /** The records of one segment in append order; of one tenant only, when named. Damage is a `data` error. */
  read(at: SegmentPosition, signal: AbortSignal, tenant?: string): AsyncIterable<LogRecord>;

  /** Removes the segments of a stream up to and including `segment`, in ascending order; the stream itself when it is sealed and nothing is left. */
  drop(at: SegmentPosition): Promise<void>;

  /** Bytes on the disk or in the bucket, for back-pressure and `/metrics`. */
  readonly bytes: number;

  stop(): Promise<void>;
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
  segments: SegmentState[];
}

export interface SegmentState {
  segment: number;
  bytes: number;
  /** Tenants with records in the segment; of a segment of a dead process known only after `seal`. */
  tenants: readonly string[];
}

export interface SealedStream {
  stream: string;
  segments: SegmentState[];
  /** What was cut off or unreadable, for the log and the start report. */
  damage: { segment: number; offset: number; bytes: number; reason: string }[];
}

export interface LogRecord {
  tenant: string;
  bytes: Uint8Array;
}
