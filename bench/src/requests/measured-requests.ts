import type { RequestCounts } from './counted-bucket.ts';

/** The table that `vivace cost` reckons with: counts of requests, and the circumstances they were counted in. */
export interface MeasuredRequests {
  command: string;
  /** When it was measured. */
  date: string;
  spans: number;
  spansPerSecond: number;
  putLatencyMs: number;
  /** Of one block that is cut and committed, of one tenant: everything but the log. */
  perCut: RequestCounts;
  /** Of one process while nothing happens, for an hour; of the log apart. */
  idleHour: { data: RequestCounts; log: RequestCounts };
  log: {
    /** Requests of senders, and segments put, a second while spans came. */
    requestsPerSecond: number;
    putsPerSecond: number;
    /** Requests of the log for one segment that is put, leases not counted. */
    perPut: RequestCounts;
  };
  /** Of one block that compaction reads, its share of what is written included. */
  perMergedBlock: RequestCounts;
  mergedBlocks: number;
  /** Of the first question of its kind to a process that has just started, over `blocks` blocks; and asked again. */
  blocks: number;
  queries: Record<string, { first: RequestCounts; again: RequestCounts }>;
}
