import { createByteBudget, type RequestMemory } from '@vivace/http';
import { createBufferPool } from '@vivace/kernel';
import type { ReceiverMetrics } from '../metrics.ts';

export function createTestMemory(maxInflightBytes = 64 * 1024 * 1024): RequestMemory {
  return {
    pool: createBufferPool({ maxIdleBytes: 16 * 1024 * 1024 }),
    budget: createByteBudget(maxInflightBytes),
  };
}

export interface TestMetrics extends ReceiverMetrics {
  /** Sum by `name{label values}`. */
  readonly values: Map<string, number>;
  /** Seconds of every request, by transport. */
  readonly times: [transport: string, seconds: number][];
}

export function createTestMetrics(): TestMetrics {
  const values = new Map<string, number>();
  const counter = (name: string) => ({
    inc: (labels: Record<string, string>, value = 1) => {
      const key = `${name}{${Object.values(labels).join()}}`;
      values.set(key, (values.get(key) ?? 0) + value);
    },
  });
  const times: TestMetrics['times'] = [];
  const seconds: TestMetrics['seconds'] = { observe: ({ transport }, value) => void times.push([transport, value]) };
  return { values, times, requests: counter('requests'), receivedBytes: counter('receivedBytes'), seconds };
}
