/** What a dataset holds. The same options, seed and start give the same bytes. */
export interface DatasetOptions {
  /** Spans to make; the last trace is finished, so there may be a few more. */
  spans: number;
  seed: number;
  /** When the first trace begins, in milliseconds since 1970, and how long the shop runs. */
  startMs: number;
  durationMs: number;
  /** Spans a request, as a Collector's batch processor sends them. */
  requestSpans: number;
  /** Attribute keys beyond the shop's own, used by a long tail (rank r as often as 1/r); two a span. */
  keys: number;
  /** Tenants, of very different sizes (1/r). 1 sends no tenant header. */
  tenants: number;
  /** Percent of traces of which a part arrives in a second phase, after the first was cut. */
  lateTraces: number;
  /** How much later the late part happened, in milliseconds. */
  lateMs: number;
  /** Percent of requests that arrive a second time. */
  resends: number;
  /** How far each pod's clock may be wrong either way, in milliseconds. */
  clockSkewMs: number;
  /** Three attributes a span whose keys never occur again. */
  uniqueKeys: boolean;
  /** Spans of one huge trace amid the others, 0 for none. They are not counted in `spans`. */
  giantTraceSpans: number;
  /** Keep what is true of every span, to judge queries by. */
  facts: boolean;
}

/** Nanoseconds since 1970 that no pod's clock is before: a clock may be behind, and all times stay positive. */
export function originNs({ startMs, clockSkewMs }: DatasetOptions): bigint {
  return BigInt(Math.floor(startMs - clockSkewMs)) * 1_000_000n;
}

export const MILLION = 1_000_000;

/** Without start times, which are of the moment. */
export const SHOP: Omit<DatasetOptions, 'startMs'> = {
  spans: MILLION,
  seed: 1,
  durationMs: 60_000,
  requestSpans: 1000,
  keys: 0,
  tenants: 1,
  lateTraces: 0,
  lateMs: 180_000,
  resends: 0,
  clockSkewMs: 0,
  uniqueKeys: false,
  giantTraceSpans: 0,
  facts: false,
};

/** Named datasets: the plain shop, and one for each hard part. */
export const SCENARIOS: Record<string, Partial<DatasetOptions>> = {
  shop: {},
  'long-tail': { keys: 500 },
  tenants: { tenants: 200 },
  'late-parts': { lateTraces: 10 },
  resends: { resends: 10 },
  'clock-skew': { clockSkewMs: 60_000 },
  'unique-keys': { uniqueKeys: true },
  'million-span-trace': { giantTraceSpans: MILLION },
  interplay: { spans: 3 * MILLION },
  /** One process against one a service, on a bucket. */
  split: {},
  /** Makes its own data: many small blocks. */
  lookups: {},
  hard: { keys: 500, tenants: 200, lateTraces: 10, resends: 10, clockSkewMs: 60_000, uniqueKeys: true },
};
