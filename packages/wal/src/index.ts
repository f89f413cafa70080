export { openDiskLog } from './disk-log.ts';
export { DISK_LOG_DEFAULTS, type DiskLogEvent, type DiskLogLimits, type DiskLogOptions } from './disk-log-options.ts';
export type {
  LogRecord,
  SealedStream,
  SegmentDamage,
  SegmentPosition,
  SegmentState,
  StreamState,
  WriteAheadLog,
} from './log.ts';
