import type { Counter, Histogram, Metrics } from '@vivace/telemetry';

export interface CompactorMetrics {
  jobs: Counter<'outcome'>;
  jobSeconds: Histogram;
  blocks: Counter<'change'>;
  spans: Counter<'what'>;
  bytes: Counter<'direction'>;
  swept: Counter<'what'>;
  errors: Counter<'task'>;
  /** Work that was found and is not done yet, over all tenants looked at in the last round. */
  waitingJobs: { set(value: number): void };
}

const JOB_SECONDS = [0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Labels that there are from the start: an alert on a rate does not see a series that begins with its first failure. */
const OUTCOMES = ['done', 'lost', 'failed', 'claimed'];
const CHANGES = ['merged', 'written', 'expired'];
const SPANS = ['rewritten', 'resent', 'expired'];
const DIRECTIONS = ['read', 'written'];
const SWEPT = ['removed', 'garbage', 'uploads', 'claims'];
const TASKS = ['plan', 'merge', 'expire', 'sweep'];

/** Registers the metrics of the compactor. */
export function createCompactorMetrics(metrics: Metrics): CompactorMetrics {
  const made = registered(metrics);
  for (const outcome of OUTCOMES) made.jobs.inc({ outcome }, 0);
  for (const change of CHANGES) made.blocks.inc({ change }, 0);
  for (const what of SPANS) made.spans.inc({ what }, 0);
  for (const direction of DIRECTIONS) made.bytes.inc({ direction }, 0);
  for (const what of SWEPT) made.swept.inc({ what }, 0);
  for (const task of TASKS) made.errors.inc({ task }, 0);
  return made;
}

function registered(metrics: Metrics): CompactorMetrics {
  return {
    jobs: metrics.counter({
      name: 'vivace_compactor_jobs_total',
      help: 'Merges by outcome: done, lost to another process, failed, or claimed by another process.',
      labels: ['outcome'],
    }),
    jobSeconds: metrics.histogram({
      name: 'vivace_compactor_job_duration_seconds',
      help: 'Time of merges that were done, from the first read to the commit.',
      buckets: JOB_SECONDS,
    }),
    blocks: metrics.counter({
      name: 'vivace_compactor_blocks_total',
      help: 'Blocks that were merged, written by merges, or expired.',
      labels: ['change'],
    }),
    spans: metrics.counter({
      name: 'vivace_compactor_spans_total',
      help: 'Spans rewritten by merges, left out because they were there twice, and expired.',
      labels: ['what'],
    }),
    bytes: metrics.counter({
      name: 'vivace_compactor_bytes_total',
      help: 'Bytes of blocks that were merged and written.',
      labels: ['direction'],
    }),
    swept: metrics.counter({
      name: 'vivace_compactor_swept_total',
      help: 'Deleted by the sweep: objects of removed blocks, objects that nothing names, uploads and claims left behind.',
      labels: ['what'],
    }),
    errors: metrics.counter({
      name: 'vivace_compactor_errors_total',
      help: 'What failed and is tried again later: plan, merge, expire, sweep.',
      labels: ['task'],
    }),
    waitingJobs: metrics.gauge({
      name: 'vivace_compactor_waiting_jobs',
      help: 'Merges that could run now, of the tenants looked at last.',
    }),
  };
}
