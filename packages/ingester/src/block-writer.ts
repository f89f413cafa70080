import { type Clock, isKind, type Random, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, type CommitResult, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import type { BlockCutter, CutBlock } from './block-cutter.ts';
import type { Generation } from './generation.ts';
import { backOff, retried } from './retried.ts';

const EARLIEST_MS = 24 * 3600 * 1000;
const LATEST_MS = 10 * 60 * 1000;

export interface BlockWriterOptions {
  cutter: BlockCutter;
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Told of a block that is in the manifest now; its bytes are not used here any more. Must not throw. */
  onCommitted?: ((tenant: string, entry: BlockEntry, objects: CutBlock['objects']) => void) | undefined;
  /** Ends every wait; what is not committed by then is replayed from the log. */
  signal: AbortSignal;
}

/** What the manifest says to a commit, with the answers that waiting does not change. */
type Outcome = CommitResult | { committed: false; code: 'gap'; reason: string };

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

  /** Whether a generation of the tenant is on its way. */
  busy(tenant: string): boolean {
    return this.#tails.has(tenant);
  }

  /**
   * Resolves with true when blocks in the manifest hold the generation's records: its own, or blocks that
   * somebody else has committed before. With false when blocks of others hold only a part of them: which, the
   * root says. Rejects only when the signal ends the wait.
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

  /** A defect of ours in the encoder must be loud, but the tenant's next generation has to wait for this one. */
  #encode(generation: Generation): Promise<CutBlock[]> {
    const cut = () =>
      this.#options.cutter.cut(generation.view, {
        earliest: BigInt(Math.floor(generation.openedMs - EARLIEST_MS)) * 1_000_000n,
        latest: BigInt(Math.ceil(generation.sealedMs + LATEST_MS)) * 1_000_000n,
      });
    // The turn ends with the attempt: a generation that cannot be encoded must not stop those of other tenants.
    const inTurn = () => {
      const attempt = this.#encoding.then(cut);
      this.#encoding = attempt.catch(() => undefined);
      return attempt;
    };
    return retried('encoding a block', inTurn, this.#options);
  }

  async #store(generation: Generation, blocks: readonly CutBlock[]): Promise<boolean> {
    const { tenant, covers } = generation;
    // Not even a record that was refused in whole: nothing to say.
    if (blocks.length === 0 && covers.length === 0) return true;
    const { manifest, logger } = this.#options;
    const target = manifest(tenant);
    for (let failures = 1; ; failures++) {
      const stored = await retried('putting a block', () => this.#put(tenant, target, blocks), this.#options);
      const result = await retried('committing a block', () => this.#commit(generation, stored), this.#options);
      if (result.committed) {
        stored.forEach((entry, i) => this.#options.onCommitted?.(tenant, entry, (blocks[i] as CutBlock).objects));
        return true;
      }
      logger.warn({ tenant, covers, code: result.code }, `a block was not committed: ${result.reason}`);
      await this.#remove(tenant, stored);
      // Whoever closed the stream of a dead process had all of it in blocks. Of a stream of this process the log says
      // whether it was closed.
      if (result.code === 'forgotten') return generation.replays !== undefined;
      if (result.code === 'covered') return this.#isCovered(generation);
      if (result.code === 'gap') return false;
      // The blocks got older than the floor while they waited: the same rows again under ids of today.
      await backOff(failures, this.#options);
    }
  }

  async #commit({ tenant, covers }: Generation, stored: readonly BlockEntry[]): Promise<Outcome> {
    const { manifest, signal } = this.#options;
    try {
      return await manifest(tenant).commit({ add: stored, remove: [], cover: covers }, signal);
    } catch (error) {
      if (isKind(error, 'conflict') && error.code === 'commit-gap') {
        return { committed: false, code: 'gap', reason: error.message };
      }
      throw error;
    }
  }

  /** Whether the root covers all of the generation, by whomever. */
  async #isCovered({ tenant, covers }: Generation): Promise<boolean> {
    const { manifest, signal } = this.#options;
    const look = () => manifest(tenant).snapshot(signal, { maxAgeMs: 0 });
    const { covered } = await retried('reading the coverage', look, this.#options);
    return covers.every(({ stream, to }) => (covered.get(stream) ?? 0) >= to);
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
}
