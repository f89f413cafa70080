import type { BlockEntry } from '@vivace/manifest';

/** Tenants, and chunks of one: entries take some 500 bytes each. */
const MAX_TENANTS = 500;
const MAX_CHUNKS = 64;

/**
 * What the next answer of the heads may have: tenants that send nothing for a while, or whose spans are all in blocks,
 * have the same chunks in each.
 */
export class ExpectedChunks {
  /** By tenant, in the order of their last answer. */
  readonly #last = new Map<string, { chunks: readonly BlockEntry[]; isSettled: boolean }>();

  /** Chunks of the last two answers, where both had the same. */
  of(tenant: string): readonly BlockEntry[] | undefined {
    const last = this.#last.get(tenant);
    return last?.isSettled === true ? last.chunks : undefined;
  }

  note(tenant: string, chunks: readonly BlockEntry[]): void {
    const before = this.#last.get(tenant)?.chunks;
    this.forget(tenant);
    if (chunks.length > MAX_CHUNKS) return;
    const isSettled = before?.length === chunks.length && chunks.every(({ id }, i) => id === before[i]?.id);
    this.#last.set(tenant, { chunks, isSettled });
    if (this.#last.size <= MAX_TENANTS) return;
    const [oldest] = this.#last.keys();
    this.#last.delete(oldest as string);
  }

  forget(tenant: string): void {
    this.#last.delete(tenant);
  }
}
