import { pause } from '../harness/load.ts';
import { type Attempt, PART, type Patience } from '../truth/asking.ts';
import type { Cluster } from './cluster.ts';

/**
 * An ingester that is back takes its log over and reads it, and a querier looks again who is there: so long after its
 * return an answer that says that a part of it is missing is counted, and no failure.
 */
const SETTLE_MS = 15_000;

/** Answers that said that they are a part, by the end of the question; what they missed is in an ingester that is away. */
export interface PartAnswer {
  endMs: number;
}

/**
 * So long after an attempt a person has asked again, as `Retry-After` says; by then a balancer of load, or a Service,
 * has taken processes that are gone out of its list.
 */
const RETRY_AFTER_MS = 1000;

/**
 * The patience of a client with one retry. It asks again a second after an attempt that failed, at the earliest, and not
 * before a process of each kind is ready; whom, is for `server` of the asker: one that is ready then. An answer that says
 * that it is a part is an answer while an ingester is away; who gets one looks once more whether it is whole by now.
 */
export function oneRetry(
  cluster: Pick<Cluster, 'served' | 'missedIngester'>,
  parts: PartAnswer[],
  retryAfterMs = RETRY_AFTER_MS,
): Patience {
  return async (attempts) => {
    const [first, last] = [attempts[0], attempts.at(-1)] as [Attempt, Attempt];
    const partial = attempts.filter(({ problem }) => problem === PART).length;
    const isExcused = cluster.missedIngester(first.beginMs, last.endMs, SETTLE_MS);
    if (attempts.length - partial > 1 || (partial > 1 && !isExcused)) {
      const told = attempts.map(
        ({ problem, http, beginMs, endMs }) => `${problem} of ${http} after ${endMs - beginMs} ms`,
      );
      throw new Error(`not whole after one retry: ${told.join(', then ')}`);
    }
    if (partial > 1) {
      parts.push({ endMs: last.endMs });
      return 'enough';
    }
    await pause(retryAfterMs);
    await cluster.served();
    return 'again';
  };
}
