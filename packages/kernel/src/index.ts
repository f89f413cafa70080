export { addUp } from './add-up.ts';
export { type BufferPool, createBufferPool, type PooledBuffer } from './buffer-pool.ts';
export {
  bytesToHex,
  compareBytes,
  concatBytes,
  crc32,
  equalBytes,
  hexToBytes,
  utf8Decode,
  utf8Encode,
} from './bytes.ts';
export { type Clock, systemClock } from './clock.ts';
export { clearBytes, copyBytes } from './copy-bytes.ts';
export { assert, dataError, type ErrorDetails, type ErrorKind, isKind, toVivaceError, VivaceError } from './errors.ts';
export { type Files, type ReadableFile, systemFiles } from './files.ts';
export { freeMemory } from './free-memory.ts';
export { foldInSteps, inSteps } from './in-steps.ts';
export { type ListenPlace, listenError } from './listen-error.ts';
export { orAborted } from './or-aborted.ts';
export { fraction, type Random, seededRandom, systemRandom } from './random.ts';
export { type Service, stopAll } from './service.ts';
export { systemErrorCode } from './system-error.ts';
export { checkTenant, SINGLE_TENANT } from './tenant.ts';
export { limitTime } from './time-limit.ts';
export { isUuidV7, uuidV7, uuidV7TimeMs } from './uuid.ts';
export {
  type Handlers,
  keepWasmCallsGeneric,
  serveWorker,
  startWorker,
  startWorkerOnDemand,
  Transferred,
  type WorkerClient,
  type WorkerOptions,
  workerArgument,
} from './worker.ts';
export { DIRECT_BLOCK_BYTES, type WritableFile } from './writable-file.ts';
