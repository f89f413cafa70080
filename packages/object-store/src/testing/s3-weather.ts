import { fraction, seededRandom } from '@vivace/kernel';
import type { S3Fault, S3FaultRequest } from './s3-server.ts';

/** How often a store goes wrong, each from 0 to 1, and how slow it is. */
export interface S3Weather {
  seed: number;
  /**
   * Connections that are reset: a third before anything is done, a third when it is done and not answered, a third
   * within the answer's body.
   */
  resets: number;
  /** Answers 503 and 429; nothing is done. */
  unavailable: number;
  tooMany: number;
  /** Every request waits: log-normal around the median, and a share of them anything up to the maximum. */
  latency: { medianMs: number; slow: number; maxMs: number };
}

export type S3Operation = 'get' | 'head' | 'put' | 'delete' | 'list' | 'other';
export type S3Outcome = 'fine' | 'reset' | 'done-no-answer' | 'cut' | '503' | '429';

/** How often each outcome was given to each operation, and the latencies of all, in milliseconds. */
export interface S3WeatherCounts {
  outcomes: Partial<Record<S3Operation, Partial<Record<S3Outcome, number>>>>;
  latencyMs: { p50: number; p99: number; max: number; overOneSecond: number };
}

/** Half a decade a standard deviation: 2 % of the calls take four times the median, as those of real stores do. */
const SIGMA = 0.7;
/** Latencies are counted in steps of 2 %. */
const STEP = Math.log(1.02);

/** Faults drawn from a seed, and what was drawn. */
export class S3WeatherPlan {
  readonly #weather: S3Weather;
  readonly #random;
  readonly #outcomes: S3WeatherCounts['outcomes'] = {};
  /** Requests by the logarithm of their latency. */
  readonly #latencies = new Map<number, number>();
  #maxMs = 0;
  #overOneSecond = 0;

  constructor(weather: S3Weather) {
    this.#weather = weather;
    this.#random = seededRandom(weather.seed);
  }

  draw(request: S3FaultRequest): S3Fault {
    const delayMs = this.#latency();
    const outcome = this.#outcome(request.method);
    const operation = operationOf(request);
    const counts = (this.#outcomes[operation] ??= {});
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    switch (outcome) {
      case 'fine':
        return { kind: 'delay', delayMs };
      case '503':
        return { kind: 'status', status: 503, code: delayMs % 1 < 0.5 ? 'SlowDown' : 'ServiceUnavailable', delayMs };
      case '429':
        return { kind: 'status', status: 429, code: 'TooManyRequests', delayMs };
      default:
        return { kind: outcome, delayMs };
    }
  }

  counts(): S3WeatherCounts {
    const steps = [...this.#latencies].sort(([a], [b]) => a - b);
    const total = steps.reduce((sum, [, count]) => sum + count, 0);
    const quantile = (q: number): number => {
      let left = q * total;
      for (const [step, count] of steps) if ((left -= count) <= 0) return Math.round(Math.exp(step * STEP));
      return 0;
    };
    const latencyMs = {
      p50: quantile(0.5),
      p99: quantile(0.99),
      max: Math.round(this.#maxMs),
      overOneSecond: this.#overOneSecond,
    };
    return { outcomes: this.#outcomes, latencyMs };
  }

  #outcome(method: string): S3Outcome {
    const { resets, unavailable, tooMany } = this.#weather;
    let dice = fraction(this.#random);
    if (dice < resets) {
      const third = Math.floor((3 * dice) / resets);
      // A write has no body to cut.
      return third === 0 ? 'reset' : third === 1 || method !== 'GET' ? 'done-no-answer' : 'cut';
    }
    if ((dice -= resets) < unavailable) return '503';
    return dice - unavailable < tooMany ? '429' : 'fine';
  }

  #latency(): number {
    const { medianMs, slow, maxMs } = this.#weather.latency;
    const random = this.#random;
    const tail = fraction(random) < slow;
    // Box and Muller: two uniform numbers make a normal one.
    const normal = Math.sqrt(-2 * Math.log(1 - fraction(random))) * Math.cos(2 * Math.PI * fraction(random));
    const delayMs = Math.min(maxMs, tail ? fraction(random) * maxMs : medianMs * Math.exp(SIGMA * normal));
    const step = Math.round(Math.log(Math.max(delayMs, 0.01)) / STEP);
    this.#latencies.set(step, (this.#latencies.get(step) ?? 0) + 1);
    this.#maxMs = Math.max(this.#maxMs, delayMs);
    if (delayMs > 1000) this.#overOneSecond++;
    return delayMs;
  }
}

function operationOf({ method, key }: S3FaultRequest): S3Operation {
  if (key === '') return method === 'GET' ? 'list' : 'other';
  const operation = method.toLowerCase();
  return operation === 'get' || operation === 'head' || operation === 'put' || operation === 'delete'
    ? operation
    : 'other';
}
