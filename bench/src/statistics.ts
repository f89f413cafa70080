/** The value below which `share` (0 to 1) of the values lie, nearest rank; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank))] as number;
}

/** The middle value; of an even number of values the mean of the middle two. NaN of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Latencies in milliseconds as every part of the bench reports them. */
export interface Latency {
  count: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

export function latency(valuesMs: readonly number[]): Latency {
  return {
    count: valuesMs.length,
    p50Ms: percentile(valuesMs, 0.5),
    p95Ms: percentile(valuesMs, 0.95),
    p99Ms: percentile(valuesMs, 0.99),
    maxMs: percentile(valuesMs, 1),
  };
}
