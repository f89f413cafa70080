export { type CachedStoreOptions, createCachedStore } from './cached-store.ts';
export { type DirectoryLock, isLockFile, lockDirectory } from './directory-lock.ts';
export { DiskCache, type DiskCacheOptions, type DiskCacheUsage } from './disk-cache.ts';
export { type FileReaderOptions, openFileReader } from './file-reader.ts';
export { createFileStore, type FileStore, type FileStoreOptions } from './file-store.ts';
export { createHedgingStore, type HedgingMetrics, type HedgingOptions } from './hedging-store.ts';
export { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
export { createMeteredStore, type StoreCall, type StoreMetrics } from './metered-store.ts';
export type {
  ByteRange,
  CallOptions,
  EndUploadsOptions,
  GetOptions,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  StoredObject,
  Upload,
} from './object-store.ts';
export { UPLOAD_PIECE_MIN_BYTES } from './object-store.ts';
export { createPrefixedStore } from './prefixed-store.ts';
export { createReadOnlyStore } from './read-only-store.ts';
export { createRetryingStore, type RetryOptions } from './retrying-store.ts';
export { createS3Store, type S3Store, type S3StoreOptions } from './s3-store.ts';
export { type ProbeOptions, probeStore } from './start-probe.ts';
export { createStoreMetrics } from './store-metrics.ts';
