export { parseLeaseKey, parseSegmentKey, SEAL_BYTES } from './bucket-layout.ts';
export { openBucketLog } from './bucket-log.ts';
export {
  BUCKET_LOG_DEFAULTS,
  type BucketLogEvent,
  type BucketLogLimits,
  type BucketLogOptions,
} from './bucket-log-options.ts';
export { openDiskLog } from './disk-log.ts';
export { DISK_LOG_DEFAULTS, type DiskLogEvent, type DiskLogLimits, type DiskLogOptions } from './disk-log-options.ts';
export { type InspectedBucketStream, type InspectedLease, inspectBucketLog } from './inspect-bucket-log.ts';
export { type InspectedSegment, type InspectedStream, inspectDiskLog } from './inspect-log.ts';
export type {
  ForeignStream,
  LogRecord,
  OtherStreams,
  SealedStream,
  SegmentDamage,
  SegmentPosition,
  SegmentState,
  StreamState,
  WriteAheadLog,
} from './log.ts';
export {
  type ForeignSegment,
  type ForeignStreamOptions,
  readForeignStream,
  rereadForeignSegment,
} from './read-foreign-stream.ts';
export { sweepLog } from './sweep-log.ts';
