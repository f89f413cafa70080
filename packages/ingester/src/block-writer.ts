import { type Clock, type Random, uuidV7, type VivaceError } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import type { BlockCutter, CutBlock } from './block-cutter.ts';
import type { Generation } from './generation.ts';

const EARLIEST_MS = 24 * 3600 * 1000;
const LATEST_MS = 10 * 60 * 1000;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 10_000;

export interface BlockWriterOptions {
  cutter: BlockCutter;
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Ends every wait; what is not committed by then is replayed from the log. */
  signal: AbortSignal;
}

/**
 * Turns sealed generations into committed blocks: encode, put the objects, commit them together with the
 * coverage. Generations of one tenant are committed in their order, and as long as it takes: a store that is
 * down delays the commit and loses nothing.
 */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  /** The end of the last commit of each tenant. */
  readonly #tails = new Map<string, Promise<void>>();
  /** One generation is encoded at a time. */
  #encoding: Promise<unknown> = Promise.resolve();

  constructor(options: BlockWriterOptions) {
    this.#options = options;
  }

  /**
   * Resolves with true when the generation's blocks are in the manifest, with false when somebody else has
   * covered the same records before. Rejects only when the signal ends the wait.
   */
  async write(generation: Generation): Promise<boolean> {
    const { tenant } = generation;
    const before = this.#tails.get(tenant) ?? Promise.resolve();
    const encoded = this.#encode(generation);
    const done = Promise.allSettled([encoded, before]).then(async () => this.#store(generation, await encoded));
    const tail = done.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(tenant, tail);
    try {
      return await done;
    } finally {
      if (this.#tails.get(tenant) === tail) this.#tails.delete(tenant);
    }
  }

  #encode(generation: Generation): Promise<CutBlock[]> {
    const cut = () =>
      this.#options.cutter.cut(generation.view, {
        earliest: BigInt(Math.floor(generation.openedMs - EARLIEST_MS)) * 1_000_000n,
        latest: BigInt(Math.ceil(generation.sealedMs + LATEST_MS)) * 1_000_000n,
      });
    // A defect of ours in the encoder must be loud, but the next generation's coverage joins on to this one's.
    const encode = () => this.#retried('encoding a block', cut);
    const encoded = this.#encoding.then(encode, encode);
    this.#encoding = encoded;
    return encoded;
  }

  async #store(generation: Generation, blocks: readonly CutBlock[]): Promise<boolean> {
    const { manifest, signal } = this.#options;
    const target = manifest(generation.tenant);
    const stored = await this.#retried('putting a block', () => this.#put(generation.tenant, target, blocks));
    const result = await this.#retried('committing a block', () =>
      target.commit({ add: stored, remove: [], cover: generation.covers }, signal),
    );
    if (result.committed) return true;
    this.#options.logger.warn({ tenant: generation.tenant, covers: generation.covers }, result.reason);
    await this.#remove(generation.tenant, stored);
    return false;
  }

  async #put(tenant: string, manifest: Manifest, blocks: readonly CutBlock[]): Promise<BlockEntry[]> {
    const { clock, random, store, signal } = this.#options;
    const entries: BlockEntry[] = [];
    for (const { content, objects } of blocks) {
      const id = uuidV7(await manifest.storeTimeMs(signal), random);
      let storeTimeMs = clock.nowMs();
      for (const { name, parts } of objects) {
        ({ storeTimeMs } = await store.put(blockKey(tenant, id, name), parts, { signal }));
      }
      entries.push({ ...content, id, commitTimeMs: storeTimeMs, level: 0, retentionClass: '', applied: 0 });
    }
    return entries;
  }

  /** Blocks that lost their commit; what cannot be deleted now is found by the sweep. */
  async #remove(tenant: string, entries: readonly BlockEntry[]): Promise<void> {
    const { store, signal } = this.#options;
    for (const { id, sections } of entries) {
      const names = new Set(Object.values(sections).map((section) => section.object));
      for (const name of names) await store.delete(blockKey(tenant, id, name), { signal }).catch(() => undefined);
    }
  }

  async #retried<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { clock, random, logger, signal } = this.#options;
    for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2)) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted) throw error;
        logger.warn(
          { code: (error as VivaceError).code, retryInMs: backoffMs },
          `${what} failed: ${(error as Error).message}`,
        );
      }
      await clock.sleep(backoffMs * (0.5 + random.u32() / 2 ** 33), signal);
    }
  }
}
