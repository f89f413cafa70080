import { type Clock, type Random, type Service, toVivaceError } from '@vivace/kernel';
import { listTenants, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import { indexTenant } from './index-tenant.ts';
import type { SegmentBuilder } from './segment-builder.ts';

export interface IndexerOptions {
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  builder: SegmentBuilder;
  clock: Clock;
  random: Random;
  logger: Logger;
  /**
   * Other processes commit, and nobody notifies: tenants that were busy are looked at again after a minute, then two, and
   * so on. Default false.
   */
  polls?: boolean;
}

/**
 * Commits of one tenant that come one upon another are indexed together: the time until then costs a lookup one read of the
 * filter of each such block, once, and a burst of blocks would otherwise merge the youngest segments again and again.
 */
const DELAY_MS = 15_000;
/** A tenant waits so many times as long as its last turn took: indexing takes at most a tenth of a thread. */
const REST = 10;
/** All tenants are looked at so often, because others may have committed: a read of each root. */
const ROUND_MS = 60 * 60 * 1000;
/** What failed is tried again so long after. */
const RETRY_MS = 30_000;
/** Where nobody notifies, a tenant that had something new is looked at again so long after. */
const POLL_MS = 60_000;
const MAX_WAITING = 10_000;

/** Keeps the trace index of all tenants close behind their commits. One tenant at a time. */
export class Indexer implements Service {
  readonly #options: IndexerOptions;
  readonly #stop = new AbortController();
  /** Tenants with something to do, and when their turn may come, on the monotonic clock. */
  readonly #due = new Map<string, number>();
  /** How long a tenant is left alone that had nothing new. */
  readonly #idleMs = new Map<string, number>();
  /** When tenants have rested. */
  readonly #rested = new Map<string, number>();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: IndexerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running ??= Promise.all([this.#work(), this.#rounds()]).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
  }

  /** A tenant has new blocks. */
  notify(tenant: string): void {
    if (this.#due.has(tenant) || this.#due.size >= MAX_WAITING) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#due.set(tenant, Math.max(nowMs + DELAY_MS, this.#rested.get(tenant) ?? 0));
    this.#wake?.();
  }

  async #rounds(): Promise<void> {
    const { store, clock, logger } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const tenant of listTenants(store, signal)) this.notify(tenant);
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'the tenants to index cannot be listed');
      }
      await clock.sleep(ROUND_MS, signal).catch(() => undefined);
    }
  }

  async #work(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      const next = [...this.#due].reduce<[string, number] | undefined>(
        (first, one) => (first === undefined || one[1] < first[1] ? one : first),
        undefined,
      );
      if (next === undefined || next[1] > nowMs) await this.#nap(next === undefined ? ROUND_MS : next[1] - nowMs);
      else await this.#index(next[0]);
    }
  }

  async #index(tenant: string): Promise<void> {
    const { clock, logger, manifest } = this.#options;
    const { signal } = this.#stop;
    this.#due.delete(tenant);
    const startMs = clock.monotonicMs();
    let hasFailed = false;
    let isBusy = false;
    try {
      const { segments, blocks, bytes } = await indexTenant({ ...this.#options, manifest: manifest(tenant), signal });
      isBusy = segments > 0;
      if (isBusy) logger.debug({ tenant, segments, blocks, bytes }, 'indexed traces');
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ tenant, err: toVivaceError(error) }, 'a trace index is not up to date');
      hasFailed = true;
    }
    const nowMs = clock.monotonicMs();
    for (const [name, untilMs] of this.#rested) if (untilMs <= nowMs) this.#rested.delete(name);
    const restMs = REST * (nowMs - startMs);
    this.#rested.set(tenant, nowMs + (hasFailed ? Math.max(RETRY_MS, restMs) : restMs));
    // Whatever was committed meanwhile waits for the rest to be over, too.
    if (this.#due.delete(tenant) || hasFailed) this.notify(tenant);
    else if (this.#options.polls === true) this.#poll(tenant, isBusy);
  }

  #poll(tenant: string, isBusy: boolean): void {
    const idleMs = isBusy ? POLL_MS : 2 * (this.#idleMs.get(tenant) ?? ROUND_MS);
    if (idleMs >= ROUND_MS) this.#idleMs.delete(tenant);
    else {
      this.#idleMs.set(tenant, idleMs);
      this.#due.set(tenant, this.#options.clock.monotonicMs() + idleMs);
    }
  }

  async #nap(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
