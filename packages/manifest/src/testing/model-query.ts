import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { Manifest } from '../manifest.ts';
import { blockKey } from '../paths.ts';
import { Violation } from './oracle.ts';
import { decodeBlock } from './records.ts';
import { listStreams, retried } from './simulated-log.ts';
import type { SimulatedProcess } from './world.ts';

/**
 * A query for all records of a tenant, from blocks and heads, as the protocol has it: a list of streams, a root
 * not older than the list, for each stream the rows above what that root has covered, and everything again on a
 * newer root when a head has let go of them or a block is gone.
 */

/** Rows of a stream above a segment; `stale` when some of them were let go, undefined for a stream it does not hold. */
export type HeadAnswer = readonly number[] | 'stale' | undefined;

export interface QueryOptions {
  process: SimulatedProcess;
  store: ObjectStore;
  manifest: Manifest;
  streams: StreamList;
  /** Asks all other processes; the first that holds the stream answers. */
  askHeads: (stream: string, above: number) => Promise<HeadAnswer>;
  rules: QueryRules;
  signal: AbortSignal;
}

/** Rules that a test can break. */
export interface QueryRules {
  rootOlderThanList?: boolean;
  ignoreStale?: boolean;
  ignoreSilence?: boolean;
  noTimeLimit?: boolean;
}

export type QueryAnswer = { records: readonly number[]; partial: string | undefined };

const MAX_AGE_MS = 5000;
const MAX_PLANS = 4;
const TIME_LIMIT_MS = 1800 * 1000;
/** What a root of that age names is there: removed blocks are kept for an hour. */
const YOUNG_MS = 3500 * 1000;

/** The streams in the bucket, listed at most every 5 s by one process. */
export class StreamList {
  readonly #store: ObjectStore;
  readonly #process: SimulatedProcess;
  #streams: readonly string[] = [];
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(store: ObjectStore, process: SimulatedProcess) {
    this.#store = store;
    this.#process = process;
  }

  /** `atMs`: the list was true then or later, by the monotonic clock. */
  async get(maxAgeMs: number): Promise<{ streams: readonly string[]; atMs: number }> {
    const atMs = this.#process.clock.monotonicMs();
    if (atMs - this.#atMs > maxAgeMs) {
      const streams = await listStreams(this.#store, this.#process);
      if (atMs > this.#atMs) {
        this.#streams = streams;
        this.#atMs = atMs;
      }
    }
    return { streams: this.#streams, atMs: this.#atMs };
  }
}

export async function queryRecords(options: QueryOptions): Promise<QueryAnswer> {
  let answer: QueryAnswer = { records: [], partial: 'never planned' };
  const startMs = options.process.clock.monotonicMs();
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    answer = await runPlan(options, plans === 0 ? MAX_AGE_MS : -1);
    if (options.process.clock.monotonicMs() - startMs > TIME_LIMIT_MS && !options.rules.noTimeLimit) {
      return { ...answer, partial: 'it took too long' };
    }
    if (answer.partial === undefined) break;
  }
  return answer;
}

async function runPlan(options: QueryOptions, maxAgeMs: number): Promise<QueryAnswer> {
  const { process, rules, signal, store, manifest } = options;
  const { clock } = process;
  const records: number[] = [];
  const beganMs = clock.monotonicMs();
  let list = await options.streams.get(maxAgeMs);
  // A stream that was closed before the list is covered by every root since then, and by no older one.
  const rootAgeMs = () => Math.min(maxAgeMs, rules.rootOlderThanList ? maxAgeMs : clock.monotonicMs() - list.atMs);
  const { covered, live } = await retried(process, () => manifest.snapshot(signal, { maxAgeMs: rootAgeMs() }));
  if (rules.rootOlderThanList) list = await options.streams.get(-1);
  for (const stream of list.streams) {
    const rows = await options.askHeads(stream, covered.get(stream) ?? 0);
    if (rows === undefined && !rules.ignoreSilence) return { records, partial: `nobody answers for ${stream}` };
    if (rows === 'stale' && !rules.ignoreStale) return { records, partial: `let go of ${stream}` };
    if (typeof rows === 'object') records.push(...rows);
  }
  for (const { id } of live) {
    try {
      const { bytes } = await retried(process, () => store.get(blockKey(manifest.tenant, id, 'block')));
      records.push(...decodeBlock(bytes));
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      if (clock.monotonicMs() - beganMs < YOUNG_MS) throw new Violation(`block ${id} of a young root is gone`);
      return { records, partial: `block ${id} is gone` };
    }
  }
  return { records, partial: undefined };
}
