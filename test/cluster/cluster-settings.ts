import type { Sizes } from './cluster.ts';

/** What is done to the processes, one after another. */
export type Act =
  | { kill: string }
  | { suspend: string; seconds: number }
  /** Two processes, or one and `BUCKET`, that do not reach each other; `away`: the one that answers may miss. */
  | { cut: readonly [string, string]; away?: string; seconds: number };

/** What a network calls the S3 server. */
export const BUCKET = 'bucket';

export interface ClusterSettings {
  minutes: number;
  seed: number;
  sizes: Sizes;
  acts: readonly Act[];
  requestsPerSecond: number;
  readers: number;
  questionsPerSecond: number;
  cutInterval: string;
}

const FULL_SIZES: Sizes = { distributor: 2, ingester: 3, querier: 2, 'query-frontend': 2, compactor: 2 };

/** The order of the kills of a round: those of a kind lie apart. */
const ORDER = [
  'ingester-1',
  'distributor-1',
  'querier-1',
  'query-frontend-1',
  'compactor-1',
  'ingester-2',
  'distributor-2',
  'querier-2',
  'query-frontend-2',
  'compactor-2',
  'ingester-3',
];

/** Kills each of eleven processes in turn, twice, and suspends one ingester between the rounds. */
export function fullSettings({
  minutes,
  seed,
  suspendSeconds,
}: {
  minutes: number;
  seed: number;
  suspendSeconds: number;
}): ClusterSettings {
  const round = ORDER.map((kill) => ({ kill }));
  return {
    minutes,
    seed,
    sizes: FULL_SIZES,
    acts: [...round, { suspend: 'ingester-2', seconds: suspendSeconds }, ...round],
    requestsPerSecond: 20,
    readers: 4,
    questionsPerSecond: 5,
    cutInterval: '10s',
  };
}
