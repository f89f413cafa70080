import type { FindTraceOptions, TraceAnswer, TraceFinder } from '@vivace/api';
import type { EncodedSpans } from '@vivace/columns';
import type { Random, Service, VivaceError } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest } from '@vivace/manifest';
import type { ByteRange, ObjectStore } from '@vivace/object-store';
import { createSearchWorkers, type SearchWorkers } from './search-workers.ts';
import type { TraceFound, TraceSearch } from './trace-search.ts';

/** What the ingester answers of a trace. */
export interface HeadSource {
  findTrace(tenant: string, id: Uint8Array): Promise<{ parts: EncodedSpans[]; problems: string[] }>;
}

export interface QuerierOptions {
  heads: HeadSource;
  manifest: (tenant: string) => Manifest;
  store: ObjectStore;
  /** Bytes of blocks kept in memory, over all workers. */
  cacheBytes: number;
  /** Threads that decode, at least one. */
  workers: number;
  random: Random;
  onExit: (error: VivaceError) => void;
}

/** Parts of a trace lie at most so far outside the time that a lookup asks for. */
const TRACE_HORIZON_SECONDS = 3600;
/** A snapshot whose objects are gone is planned anew so often. */
const MAX_PLANS = 2;

/** Finds traces over heads and blocks. */
export class Querier implements TraceFinder, Service {
  readonly #options: QuerierOptions;
  readonly #workers: SearchWorkers;

  constructor(options: QuerierOptions) {
    this.#options = options;
    this.#workers = createSearchWorkers({
      count: options.workers,
      cacheBytes: options.cacheBytes,
      seed: options.random.u32(),
      onExit: options.onExit,
      read: async (tenant: string, block: string, object: string, range: ByteRange) =>
        (await options.store.get(blockKey(tenant, block, object), { range })).bytes,
    });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#workers.stop();
  }

  /**
   * Heads first, the root after them: a generation leaves the heads only once its block is committed, so
   * nothing falls between (docs/decisions/0003-heads-before-root.md).
   */
  async findTrace(tenant: string, id: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer> {
    const { heads, manifest } = this.#options;
    const head = await heads.findTrace(tenant, id);
    const problems = [...head.problems];
    for (let plan = 1; ; plan++) {
      options.signal.throwIfAborted();
      const { live } = await manifest(tenant).snapshot(options.signal, plan > 1 ? { maxAgeMs: 0 } : {});
      const entries = live.filter((entry) => overlaps(entry, options));
      const search: TraceSearch = { tenant, id, entries, heads: head.parts, maxBytes: options.maxBytes };
      const found: TraceFound = await this.#workers.find(search);
      if (found.missing.length > 0 && plan < MAX_PLANS) continue;
      problems.push(...found.problems, ...found.missing.map((block) => `block ${block} is gone from the store`));
      return {
        trace: found.trace,
        complete: problems.length === 0,
        problems,
        truncated: found.truncated,
        inspectedBytes: found.inspectedBytes,
      };
    }
  }
}

/** Whether a block may hold a part of a trace in the time asked for. Of misdated blocks the time says nothing. */
function overlaps(entry: BlockEntry, { startSeconds, endSeconds }: FindTraceOptions): boolean {
  if (entry.misdated === true) return true;
  if (endSeconds !== undefined && entry.minStart > nanoseconds(endSeconds + TRACE_HORIZON_SECONDS)) return false;
  return startSeconds === undefined || entry.maxEnd >= nanoseconds(startSeconds - TRACE_HORIZON_SECONDS);
}

function nanoseconds(seconds: number): bigint {
  return BigInt(Math.max(0, seconds)) * 1_000_000_000n;
}
