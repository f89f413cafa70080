import { type BlockReader, createBlockCache, openBlock } from '@vivace/block';
import { type BlockEntry, blockKey } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { type KeyedRun, keyedRuns, readSpanKeys, type SpanKeys } from './span-keys.ts';

export interface ContainedOptions {
  store: ObjectStore;
  tenant: string;
  signal: AbortSignal;
  /** A block is done. */
  onProgress: () => void;
}

/** A block of which every span is in blocks that were made later, and those blocks. */
export interface ContainedBlock {
  id: string;
  in: string[];
}

const CACHE_BYTES = 128 * 1024 * 1024;
/** Runs whose spans are kept: neighbours in time are asked for the same. */
const KEPT_RUNS = 8;

/**
 * Finds blocks that compaction has replaced and that were not deleted yet: blocks of which every span, with no earlier
 * end, is also in blocks made later (ids are made in order of time). Leaving them out loses nothing, whatever it was
 * that made the others.
 *
 * Newest first, against those that stay. Where a filter of 32 bytes says that a trace is in none of them, which it does
 * of nearly every block that was not replaced, nothing more is read.
 */
export async function findContained(
  blocks: readonly BlockEntry[],
  options: ContainedOptions,
): Promise<Map<string, ContainedBlock>> {
  const spans = new SpanSource(options);
  const contained = new Map<string, ContainedBlock>();
  const kept: BlockEntry[] = [];
  for (const block of blocks.toSorted((a, b) => (a.id < b.id ? 1 : -1))) {
    options.signal.throwIfAborted();
    const others = kept.filter((other) => other.minStart <= block.maxEnd && other.maxEnd >= block.minStart);
    const holders = await spans.holders(block, others);
    if (holders === undefined) kept.push(block);
    else contained.set(block.id, { id: block.id, in: holders });
    options.onProgress();
  }
  return contained;
}

class SpanSource {
  readonly #options: ContainedOptions;
  readonly #cache = createBlockCache({ maxBytes: CACHE_BYTES });
  readonly #kept = new Map<string, SpanKeys>();

  constructor(options: ContainedOptions) {
    this.#options = options;
  }

  /** The others that together have every span of the block; undefined where they have not. */
  async holders(block: BlockEntry, others: readonly BlockEntry[]): Promise<string[] | undefined> {
    const reader = this.#open(block);
    if (others.length === 0 || !(await this.#mayBeIn(reader, others))) return undefined;
    const { signal } = this.#options;
    const used = new Set<string>();
    for (const mine of await keyedRuns(reader, signal)) {
      const missing = new Map(await readSpanKeys(reader, mine.run, signal));
      for (const other of others) {
        if (missing.size === 0) break;
        const theirs = this.#open(other);
        for (const run of await keyedRuns(theirs, signal)) {
          if (missing.size > 0 && overlap(mine, run)) await this.#strike(missing, theirs, run, used);
        }
      }
      if (missing.size > 0) return undefined;
    }
    return [...used].sort();
  }

  /** Whether the first trace of every row group may be in one of the others. */
  async #mayBeIn(reader: BlockReader, others: readonly BlockEntry[]): Promise<boolean> {
    const { signal } = this.#options;
    const { traceGroups } = await reader.index({ signal });
    for (const { firstTraceId } of traceGroups) {
      let found = false;
      for (const other of others) {
        found ||= await this.#open(other).mayHoldTrace(firstTraceId, { signal });
      }
      if (!found) return false;
    }
    return true;
  }

  /** Takes away what a run of another block has. */
  async #strike(missing: SpanKeys, reader: BlockReader, { run }: KeyedRun, used: Set<string>): Promise<void> {
    const name = `${reader.id} ${run.first}`;
    let keys = this.#kept.get(name);
    if (keys === undefined) {
      keys = await readSpanKeys(reader, run, this.#options.signal);
      if (this.#kept.size >= KEPT_RUNS) this.#kept.delete(this.#kept.keys().next().value as string);
      this.#kept.set(name, keys);
    }
    for (const [key, end] of missing) {
      const theirs = keys.get(key);
      if (theirs === undefined || theirs < end) continue;
      missing.delete(key);
      used.add(reader.id);
    }
  }

  #open(block: BlockEntry): BlockReader {
    const { store, tenant, signal } = this.#options;
    return openBlock({
      place: block,
      readRange: async (object, offset, length) => {
        const key = blockKey(tenant, block.id, object);
        return (await store.get(key, { range: { offset, length }, signal })).bytes;
      },
      cache: this.#cache,
    });
  }
}

function overlap(a: KeyedRun, b: KeyedRun): boolean {
  const endsBefore = (one: KeyedRun, two: KeyedRun) =>
    one.endTraceId !== undefined && one.endTraceId <= two.firstTraceId;
  return !endsBefore(a, b) && !endsBefore(b, a);
}
