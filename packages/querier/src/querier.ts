import type { FindTraceOptions, TraceAnswer, TraceFinder } from '@vivace/api';
import type { Question, ResultOf, SearchRequest, SearchResult } from '@vivace/block-query';
import { type Clock, orAborted, type Random, type Service, VivaceError } from '@vivace/kernel';
import {
  type BlockEntry,
  blockKey,
  entryObjects,
  listTenants,
  type Manifest,
  type ManifestSnapshot,
  type SnapshotOptions,
} from '@vivace/manifest';
import type { ByteRange, ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import type { CacheUsage } from './cache-usage.ts';
import { EarlyJob } from './early-job.ts';
import type { HeadSource, HeadViews, RootBound } from './head-source.ts';
import { PRACTICE_BLOCKS, PRACTICE_TRACE_BYTES, type PracticeAnswer } from './practice/practise.ts';
import { ProblemLog } from './problem-log.ts';
import type { JobAnswer, QueryJob } from './query-job.ts';
import { createSearchWorkers, type LocateBlocks, type SearchWorkers } from './search-workers.ts';
import { indexSnapshot } from './snapshot-index.ts';
import { withPatience } from './store-patience.ts';
import { type LocatedBlocks, TraceLocator } from './trace-locator.ts';
import type { NewBlock, TraceFound, TraceSearch } from './trace-search.ts';

interface Snapshot {
  /** Undefined where the root could not be read. */
  version: number | undefined;
  entries: BlockEntry[];
  /** Of all entries. */
  bytes: number;
  located: LocateBlocks;
  problems: string[];
}

/** The time that a query asks for, in nanoseconds since 1970. */
export interface QueryRange {
  startUnixNano: bigint;
  endUnixNano: bigint;
}

/** The job of a question over heads and a snapshot. */
type JobOf<Asked extends Question> = (
  heads: HeadViews,
  snapshot: Snapshot,
) => Omit<QueryJob, 'number' | 'question'> & { question: Asked };

export interface QuerierAnswer<Result> {
  result: Result;
  /** What could not be read, a line each. */
  problems: string[];
  inspectedBytes: number;
  blocks: number;
  blockBytes: number;
}

export interface QuerierOptions {
  heads: HeadSource;
  manifest: (tenant: string) => Manifest;
  store: ObjectStore;
  /** Bytes of blocks kept in memory, over all workers. */
  cacheBytes: number;
  /** For filters of blocks and the trace index, besides `cacheBytes`: half for each. */
  filterCacheBytes: number;
  /** Threads that decode, at least one. */
  workers: number;
  /** Rows that conditions select in a block are kept, so that the same condition asked again finds them. */
  keepsPartials: boolean;
  clock: Clock;
  random: Random;
  logger: Logger;
  onExit: (error: VivaceError) => void;
  /** Hears of objects of which bytes were not what they should be: what is kept of them is not to be believed. */
  onDamaged?: (key: string) => void;
}

export interface PractiseOptions {
  /** A block that is in no manifest and in no store, handed over; undefined where there is none to practise on. */
  madeUp?: Promise<NewBlock | undefined>;
  /** Takes the answers, to practise what comes after them. */
  use: (answer: PracticeAnswer) => Promise<void>;
  signal: AbortSignal;
}

/** Parts of a trace lie at most so far outside the time that a lookup asks for. */
const TRACE_HORIZON_SECONDS = 3600;
const TRACE_HORIZON_NANOS = BigInt(TRACE_HORIZON_SECONDS) * 1_000_000_000n;
/** A search looks at so many blocks first, and then at so many times more: what it looks at twice is a third. */
const FIRST_BLOCKS = 8;
const MORE_BLOCKS = 4;
/** And where it found nothing at so many times more: of one value the filters of all are asked before long. */
const MANY_MORE_BLOCKS = 16;
/** Of work that counts only if the root proves to be the newest: nobody is asked whether it is. */
const ROOT_AT_HAND: RootBound = { maxAgeMs: Number.POSITIVE_INFINITY };
const NO_BLOCKS: LocatedBlocks = { entries: [], named: 0 };
/** Before the threads practise: so many tenants may have nothing but a log. */
const TENANTS_LOOKED_AT = 8;
/** Lookups that are practised on a made-up block. */
const PRACTICE_LOOKUPS = 100;
/** A snapshot whose objects are gone is planned anew so often. */
const MAX_PLANS = 2;

/** Finds traces over heads and blocks. */
export class Querier implements TraceFinder, Service {
  readonly #options: QuerierOptions;
  readonly #workers: SearchWorkers;
  readonly #problems: ProblemLog;
  readonly #locator: TraceLocator;

  constructor(options: QuerierOptions) {
    this.#options = options;
    this.#problems = new ProblemLog(options);
    this.#locator = new TraceLocator({
      store: options.store,
      clock: options.clock,
      cacheBytes: options.filterCacheBytes / 2,
      onProblem: (tenant, problem) => this.#problems.tell(tenant, problem),
      onDamaged: (key) => options.onDamaged?.(key),
    });
    this.#workers = createSearchWorkers({
      count: options.workers,
      cacheBytes: options.cacheBytes,
      filterCacheBytes: options.filterCacheBytes / 2,
      seed: options.random.u32(),
      keepsPartials: options.keepsPartials,
      onExit: options.onExit,
      read: async (tenant: string, block: string, object: string, range: ByteRange) => {
        const chunk = options.heads.readChunk?.(block, range);
        if (chunk !== undefined) return chunk;
        const key = blockKey(tenant, block, object);
        const { bytes } = await withPatience(options.clock, (signal) => options.store.get(key, { range, signal }));
        return bytes;
      },
    });
  }

  /** What the caches of the query threads hold, and how often they had what was asked for. */
  get cacheUsage(): CacheUsage {
    return this.#workers.usage();
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#workers.stop();
  }

  /**
   * Has the threads practise on the newest blocks of a tenant, so that nobody waits for their code to be compiled. Where no
   * tenant looked at has a block, lookups are practised on the one that `madeUp` resolves with.
   */
  async practise({ madeUp, use, signal }: PractiseOptions): Promise<void> {
    const { store, manifest } = this.#options;
    for await (const tenant of listTenants(store, signal, TENANTS_LOOKED_AT)) {
      const entries = indexSnapshot(await manifest(tenant).snapshot(signal)).newestFirst.slice(0, PRACTICE_BLOCKS);
      if (entries.length > 0) return this.#workers.practise({ tenant, entries, use, signal });
    }
    const block = await madeUp;
    if (block !== undefined) await this.#practiseLookups(block, use, signal);
  }

  async #practiseLookups(block: NewBlock, use: PractiseOptions['use'], signal: AbortSignal): Promise<void> {
    const { tenant, entry } = block;
    await this.#workers.keep(block);
    for (const id of await this.#workers.tracesOf({ tenant, entry, count: PRACTICE_LOOKUPS })) {
      signal.throwIfAborted();
      const search = { tenant, id, entries: [entry], named: 0, heads: [], maxBytes: PRACTICE_TRACE_BYTES };
      const { trace } = await this.#workers.find(search);
      await use({ kind: 'trace', trace });
    }
  }

  /**
   * Takes the bytes of a block that was just committed, because young blocks are asked most; they are handed over.
   * What fails here is read again, and reported, by the lookup.
   */
  keepBlock(block: NewBlock): void {
    void this.#workers.keep(block).catch(() => undefined);
  }

  /**
   * Heads first, the root after them: a generation leaves the heads only once its block is committed, so
   * nothing falls between (docs/decisions/0003-heads-before-root.md).
   */
  async findTrace(tenant: string, id: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer> {
    const { signal } = options;
    const ahead = this.#options.heads.isRemote === true ? this.#findAhead(tenant, id, options) : undefined;
    const head = await orAborted(this.#options.heads.findTrace(tenant, id, signal), signal);
    for (let plan = 1; ; plan++) {
      signal.throwIfAborted();
      const problems: string[] = [];
      const snapshot = await this.#manifestSnapshot(tenant, problems, signal, plan > 1 ? { maxAgeMs: 0 } : head);
      const known = plan > 1 || head.parts.length > 0 ? undefined : await ahead;
      const { entries, found } =
        known !== undefined && known.version === snapshot?.version
          ? known
          : await this.#findIn(snapshot, tenant, id, head.parts, options);
      this.#tellDamaged(tenant, entries, found);
      if (found.missing.length > 0 && plan < MAX_PLANS) continue;
      problems.push(...found.problems, ...found.missing.map((block) => `block ${block} is gone from the store`));
      for (const problem of problems) this.#problems.tell(tenant, problem);
      problems.push(...head.problems);
      return {
        trace: found.trace,
        complete: problems.length === 0,
        problems,
        truncated: found.truncated,
        inspectedBytes: found.inspectedBytes,
      };
    }
  }

  /** A trace in the blocks of a snapshot, and in parts of it that heads have. */
  async #findIn(
    snapshot: ManifestSnapshot | undefined,
    tenant: string,
    id: Uint8Array,
    heads: TraceSearch['heads'],
    options: FindTraceOptions,
  ): Promise<{ entries: readonly BlockEntry[]; found: TraceFound }> {
    const { signal, maxBytes } = options;
    const isAsked = (entry: BlockEntry): boolean => overlaps(entry, options);
    const { entries, named } =
      snapshot === undefined ? NO_BLOCKS : await this.#locator.locate(snapshot, id, isAsked, signal);
    const found = await orAborted(this.#workers.find({ tenant, id, entries, named, heads, maxBytes }), signal);
    return { entries, found };
  }

  /**
   * A trace in the blocks of the snapshot at hand, while other processes are asked for what their heads have of it, which
   * is nothing of nearly all traces. It is the answer if that snapshot proves to go with theirs. Never rejects.
   */
  async #findAhead(
    tenant: string,
    id: Uint8Array,
    options: FindTraceOptions,
  ): Promise<{ version: number; entries: readonly BlockEntry[]; found: TraceFound } | undefined> {
    try {
      const snapshot = await this.#manifestSnapshot(tenant, [], options.signal, ROOT_AT_HAND);
      if (snapshot === undefined) return undefined;
      return { version: snapshot.version, ...(await this.#findIn(snapshot, tenant, id, [], options)) };
    } catch {
      // Whoever needs it does it again, and hears what is wrong.
      return undefined;
    }
  }

  /** Runs a question over the heads and the blocks that may hold parts of traces of its time. */
  async query<Asked extends Exclude<Question, { kind: 'search' }>>(
    tenant: string,
    question: Asked,
    range: QueryRange,
    signal: AbortSignal,
  ): Promise<QuerierAnswer<ResultOf[Asked['kind']]>> {
    const jobOf: JobOf<Asked> = (heads, { entries }) => {
      return { ...jobOver(heads, entries), tenant, unread: undefined, question };
    };
    const early = this.#startEarly(tenant, range, jobOf);
    let heads: HeadViews | undefined;
    try {
      heads = await this.#heads(tenant, range, signal);
      for (let plan = 1; ; plan++) {
        const snapshot = await this.#snapshot(tenant, heads, range, signal, plan);
        const answer =
          (plan === 1 && early !== undefined
            ? await orAborted(early.answerOver(heads, snapshot), signal)
            : undefined) ?? (await this.#workers.query(jobOf(heads, snapshot), snapshot.located, signal));
        if (answer.missing.length === 0 || plan === MAX_PLANS) return this.#answer(tenant, snapshot, answer);
      }
    } finally {
      early?.giveUp();
      heads?.release?.();
    }
  }

  /**
   * Searches the newest blocks first, and more of them until the page is full. Every answer has what the ones before
   * had, and what comes next; the last is complete.
   */
  async *search(
    tenant: string,
    request: SearchRequest,
    range: QueryRange,
    signal: AbortSignal,
  ): AsyncGenerator<QuerierAnswer<SearchResult>> {
    const question = { kind: 'search', request } as const;
    const stageOf =
      (read: number): JobOf<typeof question> =>
      (heads, { entries }) => ({
        ...jobOver(heads, entries.slice(0, read)),
        tenant,
        unread: read < entries.length ? { maxEndUnixNano: latestEnd(entries, read) } : undefined,
        question,
      });
    const early = this.#startEarly(tenant, range, stageOf(FIRST_BLOCKS));
    let heads: HeadViews | undefined;
    try {
      heads = await this.#heads(tenant, range, signal);
      let snapshot = await this.#snapshot(tenant, heads, range, signal, 1);
      let known = early && (await orAborted(early.answerOver(heads, snapshot), signal));
      let plan = 1;
      let inspectedBytes = 0;
      let more = MORE_BLOCKS;
      for (let read = FIRST_BLOCKS; ; read *= more) {
        const answer = known ?? (await this.#workers.query(stageOf(read)(heads, snapshot), snapshot.located, signal));
        known = undefined;
        inspectedBytes += answer.inspectedBytes;
        if (answer.missing.length > 0 && plan < MAX_PLANS) {
          // The same stage again: blocks that others have replaced hold what theirs held.
          plan++;
          read /= more;
          snapshot = await this.#snapshot(tenant, heads, range, signal, plan);
          continue;
        }
        yield { ...this.#answer(tenant, snapshot, answer), inspectedBytes };
        if (read >= snapshot.entries.length || !answer.result.unsettled) return;
        const { traces, written } = answer.result;
        more = traces.length > 0 || written !== undefined ? MORE_BLOCKS : MANY_MORE_BLOCKS;
      }
    } finally {
      early?.giveUp();
      heads?.release?.();
    }
  }

  /** Begins a job over what heads of other processes are expected to hold, while they are asked what they do. */
  #startEarly<Asked extends Question>(
    tenant: string,
    range: QueryRange,
    jobOf: JobOf<Asked>,
  ): EarlyJob<Snapshot, ResultOf[Asked['kind']]> | undefined {
    const expected = this.#options.heads.expectedViews?.(tenant);
    if (expected === undefined) return undefined;
    return new EarlyJob(
      expected,
      (signal) => this.#snapshot(tenant, { ...expected, ...ROOT_AT_HAND }, range, signal, 1),
      (snapshot, signal) => this.#workers.query(jobOf(expected, snapshot), snapshot.located, signal),
    );
  }

  async #heads(tenant: string, range: QueryRange, signal: AbortSignal): Promise<HeadViews> {
    const time = {
      startUnixNano: range.startUnixNano - TRACE_HORIZON_NANOS,
      endUnixNano: range.endUnixNano + TRACE_HORIZON_NANOS,
    };
    return orAborted(this.#options.heads.headViews(tenant, time, signal), signal);
  }

  /** The blocks of a range, newest first; those of which the time says nothing before all others. */
  async #snapshot(
    tenant: string,
    heads: HeadViews,
    range: QueryRange,
    signal: AbortSignal,
    plan: number,
  ): Promise<Snapshot> {
    signal.throwIfAborted();
    const problems: string[] = [];
    const whole = await this.#manifestSnapshot(tenant, problems, signal, plan > 1 ? { maxAgeMs: 0 } : heads);
    for (const problem of problems) this.#problems.tell(tenant, problem);
    const seconds = {
      startSeconds: Number(range.startUnixNano / 1_000_000_000n),
      endSeconds: Number(range.endUnixNano / 1_000_000_000n) + 1,
    };
    const newestFirst = whole === undefined ? [] : indexSnapshot(whole).newestFirst;
    const entries = newestFirst.filter((entry) => overlaps(entry, seconds));
    const asked = new Set(entries);
    return {
      version: whole?.version,
      entries,
      bytes: entries.reduce((sum, entry) => sum + bytesOf(entry), 0),
      located: async (traceId) => {
        if (whole === undefined) return [];
        return (await this.#locator.locate(whole, traceId, (entry) => asked.has(entry), signal)).entries;
      },
      problems: [...problems, ...heads.problems],
    };
  }

  #answer<Result>(
    tenant: string,
    { entries, bytes, problems }: Snapshot,
    answer: JobAnswer<Result>,
  ): QuerierAnswer<Result> {
    const found = [...answer.problems, ...answer.missing.map((block) => `block ${block} is gone from the store`)];
    for (const problem of found) this.#problems.tell(tenant, problem);
    this.#tellDamaged(tenant, entries, answer);
    return {
      result: answer.result,
      problems: [...found, ...problems],
      inspectedBytes: answer.inspectedBytes,
      blocks: entries.length,
      blockBytes: bytes,
    };
  }

  #tellDamaged(tenant: string, entries: readonly BlockEntry[], { damaged }: Pick<JobAnswer<unknown>, 'damaged'>): void {
    for (const id of damaged) {
      const entry = entries.find((one) => one.id === id);
      if (entry === undefined) continue;
      for (const object of entryObjects(entry)) this.#options.onDamaged?.(blockKey(tenant, id, object));
    }
  }

  /** None, and a problem, where the store does not say: what is in the heads can still be answered. */
  async #manifestSnapshot(
    tenant: string,
    problems: string[],
    signal: AbortSignal,
    { minVersion = 0, maxAgeMs }: RootBound,
  ): Promise<ManifestSnapshot | undefined> {
    const { clock, manifest } = this.#options;
    const age = maxAgeMs === undefined ? {} : { maxAgeMs };
    const read = (options: SnapshotOptions) =>
      withPatience(clock, (either) => manifest(tenant).snapshot(either, options), signal);
    try {
      const snapshot = manifest(tenant).atHand(age) ?? (await read(age));
      return snapshot.version < minVersion ? await read({ maxAgeMs: 0 }) : snapshot;
    } catch (error) {
      if (signal.aborted || !(error instanceof VivaceError)) throw error;
      problems.push(`the list of blocks cannot be read: ${error.message}`);
      return undefined;
    }
  }
}

/** What is in memory first: it is the newest, and every stage of a search has it. */
function jobOver(
  { chunks = [], views }: HeadViews,
  entries: readonly BlockEntry[],
): Pick<QueryJob, 'entries' | 'chunks' | 'heads'> {
  return { entries: chunks.length === 0 ? entries : [...chunks, ...entries], chunks: chunks.length, heads: views };
}

/** Whether a block may hold a part of a trace in the time asked for. Of misdated blocks the time says nothing. */
function overlaps(
  entry: BlockEntry,
  { startSeconds, endSeconds }: Pick<FindTraceOptions, 'startSeconds' | 'endSeconds'>,
): boolean {
  if (entry.misdated === true) return true;
  if (endSeconds !== undefined && entry.minStart > nanoseconds(endSeconds + TRACE_HORIZON_SECONDS)) return false;
  return startSeconds === undefined || entry.maxEnd >= nanoseconds(startSeconds - TRACE_HORIZON_SECONDS);
}

/** Of the entries from one on. */
function latestEnd(entries: readonly BlockEntry[], from: number): bigint {
  let latest = 0n;
  for (let i = from; i < entries.length; i++) {
    const { maxEnd } = entries[i] as BlockEntry;
    if (maxEnd > latest) latest = maxEnd;
  }
  return latest;
}

function bytesOf({ sections }: BlockEntry): number {
  return Object.values(sections).reduce((sum, { length }) => sum + length, 0);
}

function nanoseconds(seconds: number): bigint {
  return BigInt(Math.max(0, seconds)) * 1_000_000_000n;
}
