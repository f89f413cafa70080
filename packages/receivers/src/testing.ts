export { inflate } from './content-encoding.ts';
export { createTestMemory, createTestMetrics, type TestMetrics } from './testing/fixtures.ts';
export { createRecordingSink, type RecordingSink } from './testing/recording-sink.ts';
export { createTestOptions, type TestOptions } from './testing/test-options.ts';
