export { describeObjectStore, type StoreFactory } from './conformance.ts';
export { type CountingStore, createCountingStore, type StoreCounts } from './counting-store.ts';
export {
  createFaultyStore,
  type Fault,
  type FaultAnswer,
  type FaultCall,
  type FaultPlan,
  type FaultyStore,
  seededFaults,
} from './faulty-store.ts';
export { type S3Process, type S3ProcessCounts, type S3ProcessOptions, startS3Process } from './testing/s3-process.ts';
export {
  type S3Fault,
  type S3FaultRequest,
  type S3Server,
  type S3ServerOptions,
  startS3Server,
} from './testing/s3-server.ts';
export { type S3Target, startS3Target } from './testing/s3-target.ts';
export type { S3Operation, S3Outcome, S3Weather, S3WeatherCounts } from './testing/s3-weather.ts';
