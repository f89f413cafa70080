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
}

/** Commits of one tenant that come one upon another are indexed together. */
const DELAY_MS = 1000;
/** A tenant waits so many times as long as its last turn took: indexing takes at most a tenth of a thread. */
const REST = 10;
/** All tenants are looked at so often: others may have committed. */
const ROUND_MS = 5 * 60 * 1000;
const MAX_WAITING = 10_000;

/** Keeps the trace index of all tenants close behind their commits. One tenant at a time. */
export class Indexer implements Service {
  readonly #options: IndexerOptions;
  readonly #stop = new AbortController();
  /** Tenants with something to do, and when their turn may come, on the monotonic clock. */
  readonly #due = new Map<string, number>();
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
    try {
      const { segments, blocks, bytes } = await indexTenant({ ...this.#options, manifest: manifest(tenant), signal });
      if (segments > 0) logger.debug({ tenant, segments, blocks, bytes }, 'indexed traces');
    } catch (error) {
      if (!signal.aborted) logger.warn({ tenant, err: toVivaceError(error) }, 'a trace index is not up to date');
    }
    const nowMs = clock.monotonicMs();
    for (const [name, untilMs] of this.#rested) if (untilMs <= nowMs) this.#rested.delete(name);
    this.#rested.set(tenant, nowMs + REST * (nowMs - startMs));
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
