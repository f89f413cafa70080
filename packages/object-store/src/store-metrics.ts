import { Counter, Histogram, type Registry } from 'prom-client';
import type { StoreMetrics } from './metered-store.ts';

/** Counts calls of a store in a registry of prom-client. Once a registry: the names are its own. */
export function createStoreMetrics(registry: Registry): StoreMetrics {
  const durations = new Histogram({
    name: 'vivace_object_store_request_duration_seconds',
    help: 'Requests to the object store by operation and outcome.',
    labelNames: ['operation', 'outcome'],
    // From a cached local read to a slow upload of a block.
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  const bytes = new Counter({
    name: 'vivace_object_store_bytes_total',
    help: 'Bytes of objects read from and written to the object store.',
    labelNames: ['direction'],
    registers: [registry],
  });
  return {
    observe({ operation, outcome, seconds, bytesRead, bytesWritten }) {
      durations.observe({ operation, outcome }, seconds);
      if (bytesRead > 0) bytes.inc({ direction: 'read' }, bytesRead);
      if (bytesWritten > 0) bytes.inc({ direction: 'written' }, bytesWritten);
    },
  };
}
