import { systemClock, type VivaceError } from '@vivace/kernel';
import { createRecordingSink, type RecordingSink } from '@vivace/otlp/testing';
import type { ReceiverOptions } from '../receiver-options.ts';
import { createTestMemory, createTestMetrics, type TestMetrics } from './fixtures.ts';

export interface TestOptions extends ReceiverOptions {
  sink: RecordingSink;
  metrics: TestMetrics;
  /** What `onDefect` was called with. */
  defects: VivaceError[];
}

/** Options of a receiver on a free port with a sink that records, room for four of the largest requests. */
export function createTestOptions(maxRequestBytes: number): TestOptions {
  const defects: VivaceError[] = [];
  return {
    host: '127.0.0.1',
    port: 0,
    sink: createRecordingSink(),
    memory: createTestMemory(4 * maxRequestBytes),
    metrics: createTestMetrics(),
    clock: systemClock,
    maxRequestBytes,
    multitenancy: false,
    onDefect: (error) => defects.push(error),
    defects,
  };
}
