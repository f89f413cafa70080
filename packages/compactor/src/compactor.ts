import { type Clock, fraction, isKind, type Random, type Service, toVivaceError } from '@vivace/kernel';
import {
  type BlockEntry,
  expireBlocks,
  listTenants,
  type Manifest,
  sweepTenant,
  tenantPrefix,
  UNCLASSIFIED,
} from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import { claimKey, sweepClaims, takeClaim } from './claim.ts';
import type { CompactorMetrics } from './compactor-metrics.ts';
import type { BlockMerger } from './merge-task.ts';
import { type CompactionJob, type PlanOptions, planJobs } from './plan-jobs.ts';
import type { Retention } from './retention.ts';
import { runJob } from './run-job.ts';

export interface CompactorOptions {
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  merger: BlockMerger;
  retention: (tenant: string) => Retention;
  /** The id of the oldest stream of the log that is not closed, see `sweepTenant`. */
  oldestStream: (signal: AbortSignal) => Promise<string | undefined>;
  plan: Omit<PlanOptions, 'nowMs'>;
  rowGroupRows: number;
  pageRows: number;
  singleObjectMaxBytes: number;
  /** Pause between two rounds over the tenants. */
  cycleMs: number;
  sweepIntervalMs: number;
  /** How long objects of removed blocks stay, see `sweepTenant`. */
  graceMs: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: CompactorMetrics;
}

interface TenantState {
  /** On the monotonic clock. */
  planAtMs: number;
  sweepAtMs: number;
  /** Rounds in a row without work. */
  idle: number;
}

/** Rounds from one list of tenants to the next. */
const LIST_CYCLES = 10;
/** A tenant without work is looked at less and less often, down to this. */
const MAX_IDLE_MS = 10 * 60_000;
/** A block goes when its last span is due: in a window of more than this share of the time its first ones would stay for too long. */
const WINDOW_SHARE = 1 / 7;
/** A merge with rules reads its inputs once to judge traces, and once a class: merges that do it are smaller. */
const MAX_CLASSIFIED_ROWS = 5_000_000;
/** A window whose merge failed rests, each time twice as long. */
const FIRST_REST_MS = 60_000;
const MAX_REST_MS = 6 * 3_600_000;
const MAX_RESTING = 10_000;
const MAX_DAMAGED = 10_000;
const UPLOAD_MAX_AGE_MS = 48 * 3_600_000;

/**
 * Merges the blocks of all tenants, removes those that are too old, and sweeps. Any number of compactors may run over one
 * store: what they do is settled by commits.
 */
export class Compactor implements Service {
  readonly #options: CompactorOptions;
  readonly #tenants = new Map<string, TenantState>();
  readonly #resting = new Map<string, { untilMs: number; failures: number }>();
  /** Ids of blocks that cannot be merged: the others of their windows go on without them. */
  readonly #damaged = new Set<string>();
  #claimsAtMs: number;
  #listAtMs = Number.NEGATIVE_INFINITY;
  #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#claimsAtMs = options.clock.monotonicMs() + this.#jittered(options.sweepIntervalMs);
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await this.#options.merger.stop();
  }

  async #run(): Promise<void> {
    const { clock, cycleMs } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await clock.sleep(this.#jittered(cycleMs), signal).catch(() => undefined);
      if (!signal.aborted) await this.#attempt('plan', 'looking for work', () => this.round(signal));
    }
  }

  /** Does all the work that there is now, of all tenants that are due. Rejects where tenants cannot be listed. */
  async round(signal: AbortSignal): Promise<void> {
    const { clock, store, metrics } = this.#options;
    await this.#listTenants(signal);
    const seen = [...this.#tenants.keys()];
    const due = seen.filter((tenant) => this.#stateOf(tenant).planAtMs <= clock.monotonicMs());
    // One merge a tenant and turn, so that a large tenant does not hold up the others.
    let turn = due;
    while (turn.length > 0 && !signal.aborted) {
      const busy: string[] = [];
      let waiting = 0;
      for (const tenant of turn) {
        if (signal.aborted) return;
        const left = await this.#tend(tenant, signal);
        waiting += left;
        if (left > 0) busy.push(tenant);
      }
      metrics.waitingJobs.set(waiting);
      turn = busy;
    }
    for (const tenant of seen) {
      const state = this.#stateOf(tenant);
      if (signal.aborted || state.sweepAtMs > clock.monotonicMs()) continue;
      state.sweepAtMs = clock.monotonicMs() + this.#jittered(this.#options.sweepIntervalMs);
      await this.#attempt('sweep', `sweeping tenant ${tenant}`, () => this.#sweep(tenant, signal));
    }
    if (this.#claimsAtMs > clock.monotonicMs()) return;
    this.#claimsAtMs = clock.monotonicMs() + this.#jittered(this.#options.sweepIntervalMs);
    await this.#attempt('sweep', 'sweeping claims', async () => {
      metrics.swept.inc({ what: 'claims' }, await sweepClaims(store, signal));
    });
  }

  /** A list costs a request a tenant: new ones are looked for now and then only. */
  async #listTenants(signal: AbortSignal): Promise<void> {
    const { clock, cycleMs, store } = this.#options;
    if (clock.monotonicMs() < this.#listAtMs) return;
    const seen = new Set<string>();
    for await (const tenant of listTenants(store, signal)) {
      seen.add(tenant);
      this.#stateOf(tenant);
    }
    for (const tenant of this.#tenants.keys()) if (!seen.has(tenant)) this.#tenants.delete(tenant);
    this.#listAtMs = clock.monotonicMs() + this.#jittered(LIST_CYCLES * cycleMs);
  }

  /** Expires what is too old and runs one merge. How many merges are left; 0 as well where nothing could be done. */
  async #tend(tenant: string, signal: AbortSignal): Promise<number> {
    const { clock, cycleMs } = this.#options;
    const state = this.#stateOf(tenant);
    let left = 0;
    const didWork = await this.#attempt('plan', `planning for tenant ${tenant}`, async () => {
      const expiredAny = await this.#expire(tenant, signal);
      const jobs = await this.#plan(tenant, signal);
      for (const [place, job] of jobs.entries()) {
        // Others may be at the first ones; one merge is enough for now.
        if (await this.#merge(tenant, job, signal)) {
          left = jobs.length - place;
          return true;
        }
      }
      return expiredAny;
    });
    state.idle = didWork === true ? 0 : state.idle + 1;
    const pauseMs = Math.min(MAX_IDLE_MS, cycleMs * 2 ** Math.min(state.idle, 20));
    state.planAtMs = clock.monotonicMs() + (state.idle > 1 ? this.#jittered(Math.max(pauseMs, cycleMs)) : 0);
    return left;
  }

  async #expire(tenant: string, signal: AbortSignal): Promise<boolean> {
    const { manifest, retention, metrics, logger } = this.#options;
    const gone = await expireBlocks(manifest(tenant), retention(tenant), signal);
    if (gone.length === 0) return false;
    metrics.blocks.inc({ change: 'expired' }, gone.length);
    metrics.spans.inc({ what: 'expired' }, rowsOf(gone));
    logger.info({ tenant, blocks: gone.length, spans: rowsOf(gone) }, 'blocks have expired');
    return true;
  }

  async #plan(tenant: string, signal: AbortSignal): Promise<CompactionJob[]> {
    const { clock, manifest, plan, retention } = this.#options;
    const { live } = await manifest(tenant).snapshot(signal);
    const nowMs = await manifest(tenant).storeTimeMs(signal);
    const kept = retention(tenant);
    const sound = live.filter(({ id }) => !this.#damaged.has(id));
    return planJobs(sound, { ...plan, windowsMs: windowsFor(plan.windowsMs, kept), nowMs })
      .filter((job) => (this.#resting.get(claimKey(tenant, job))?.untilMs ?? 0) <= clock.monotonicMs())
      .map((job) => (kept.rules.length > 0 ? shortenToClassify(job) : job));
  }

  /** False where somebody else is at it, or it failed. */
  async #merge(tenant: string, job: CompactionJob, signal: AbortSignal): Promise<boolean> {
    const { clock, logger, metrics, manifest, plan, random, retention, store } = this.#options;
    const key = claimKey(tenant, job);
    const claim = await takeClaim({ store, key, clock, random, signal });
    if (claim === undefined) {
      metrics.jobs.inc({ outcome: 'claimed' });
      return false;
    }
    // Others may have merged it since it was planned; once it is claimed they do not.
    const { live } = await manifest(tenant)
      .snapshot(signal, { maxAgeMs: 0 })
      .catch(() => ({ live: job.inputs }));
    const ids = new Set(live.map(({ id }) => id));
    if (job.inputs.some(({ id }) => !ids.has(id))) {
      await claim.release();
      return true;
    }
    const startMs = clock.monotonicMs();
    const what = { tenant, toLevel: job.level, blocks: job.inputs.length, spans: job.rows };
    try {
      const options = { ...this.#options, manifest: manifest(tenant), retention: retention(tenant), signal };
      const outcome = await runJob(job, { ...options, maxRows: plan.maxRows });
      metrics.jobs.inc({ outcome: outcome.kind });
      if (outcome.kind === 'lost') {
        logger.info(what, `a merge was for nothing: ${outcome.reason}`);
        await manifest(tenant).snapshot(signal, { maxAgeMs: 0 });
        this.#rest(key);
        return true;
      }
      this.#resting.delete(key);
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      metrics.jobSeconds.observe(seconds);
      metrics.blocks.inc({ change: 'merged' }, job.inputs.length);
      metrics.blocks.inc({ change: 'written' }, outcome.added.length);
      metrics.spans.inc({ what: 'rewritten' }, rowsOf(outcome.added));
      metrics.spans.inc({ what: 'resent' }, outcome.resends);
      metrics.bytes.inc({ direction: 'read' }, bytesOf(job.inputs));
      metrics.bytes.inc({ direction: 'written' }, bytesOf(outcome.added));
      logger.info({ ...what, written: outcome.added.length, seconds }, 'blocks were merged');
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      metrics.jobs.inc({ outcome: 'failed' });
      metrics.errors.inc({ task: 'merge' });
      const { kind, code, message } = toVivaceError(error);
      const damaged = kind === 'data' ? job.inputs.find(({ id }) => message.includes(id)) : undefined;
      if (damaged === undefined || this.#damaged.size >= MAX_DAMAGED) this.#rest(key);
      else this.#damaged.add(damaged.id);
      const level = kind === 'data' || kind === 'internal' ? 'error' : 'warn';
      logger[level]({ ...what, code }, `a merge failed: ${message}`);
      return damaged !== undefined;
    } finally {
      await claim.release();
    }
  }

  /** A window rests after a failure; one whose merge was lost for once only until the next look at it. */
  #rest(key: string): void {
    const { clock } = this.#options;
    const failures = (this.#resting.get(key)?.failures ?? 0) + 1;
    this.#resting.delete(key);
    const restMs = Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** Math.min(failures - 1, 20));
    this.#resting.set(key, { untilMs: clock.monotonicMs() + this.#jittered(restMs), failures });
    if (this.#resting.size > MAX_RESTING) this.#resting.delete(this.#resting.keys().next().value as string);
  }

  async #sweep(tenant: string, signal: AbortSignal): Promise<void> {
    const { manifest, store, oldestStream, graceMs, metrics, logger } = this.#options;
    const swept = await sweepTenant({ manifest: manifest(tenant), store, oldestStream, graceMs, signal });
    metrics.swept.inc({ what: 'removed' }, swept.buried);
    metrics.swept.inc({ what: 'garbage' }, swept.garbage);
    if (swept.foreign > 0) logger.warn({ tenant, objects: swept.foreign }, 'objects that are not ours are left alone');
    const uploads = await store.endUploads(tenantPrefix(tenant), { minAgeMs: UPLOAD_MAX_AGE_MS, signal });
    metrics.swept.inc({ what: 'uploads' }, uploads);
    if (swept.buried + swept.garbage + uploads === 0) return;
    logger.info({ tenant, removed: swept.buried, garbage: swept.garbage, uploads }, 'objects were swept');
  }

  /** Runs a piece of work; what fails is told, counted, and undefined. */
  async #attempt<T>(task: string, what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (this.#abort.signal.aborted || isKind(error, 'canceled')) return undefined;
      this.#options.metrics.errors.inc({ task });
      const { code, message } = toVivaceError(error);
      this.#options.logger.warn({ code }, `${what} failed: ${message}`);
      return undefined;
    }
  }

  #stateOf(tenant: string): TenantState {
    let state = this.#tenants.get(tenant);
    if (state === undefined) {
      const { clock, random, sweepIntervalMs } = this.#options;
      const nowMs = clock.monotonicMs();
      state = { planAtMs: nowMs, sweepAtMs: nowMs + fraction(random) * sweepIntervalMs, idle: 0 };
      this.#tenants.set(tenant, state);
    }
    return state;
  }

  /** Three quarters to five quarters: processes that were started together do not stay together. */
  #jittered(ms: number): number {
    return ms * (0.75 + fraction(this.#options.random) / 2);
  }
}

/** The first blocks of a job, where all are too many to be judged by rules at once. */
function shortenToClassify(job: CompactionJob): CompactionJob {
  if (job.inputs.every(({ retentionClass }) => retentionClass !== UNCLASSIFIED)) return job;
  const inputs: BlockEntry[] = [];
  let rows = 0;
  for (const entry of job.inputs) {
    if (inputs.length >= 2 && rows + entry.rows > MAX_CLASSIFIED_ROWS) break;
    inputs.push(entry);
    rows += entry.rows;
  }
  return { ...job, inputs, rows };
}

function rowsOf(entries: readonly BlockEntry[]): number {
  return entries.reduce((sum, { rows }) => sum + rows, 0);
}

function bytesOf(entries: readonly BlockEntry[]): number {
  let bytes = 0;
  for (const { sections } of entries) for (const { length } of Object.values(sections)) bytes += length;
  return bytes;
}

/**
 * The windows that are short for how long spans are kept, and in any case the smallest. With rules all of them: merging
 * them is what keeps the parts of a trace equally long.
 */
function windowsFor(windowsMs: readonly number[], { keepMs, rules }: Retention): readonly number[] {
  if (rules.length > 0) return windowsMs;
  return windowsMs.filter((windowMs, place) => place === 0 || windowMs <= keepMs * WINDOW_SHARE);
}
