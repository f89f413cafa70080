export { inflate } from './content-encoding.ts';
export { createTestMemory, createTestMetrics, type TestMetrics } from './testing/fixtures.ts';
export { createTestOptions, type TestOptions } from './testing/test-options.ts';
