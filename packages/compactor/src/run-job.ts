import type { SectionName } from '@vivace/block';
import { isKind, type Random, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { BlockOutput } from './block-output.ts';
import type { BlockMerger, MergedBlock } from './merge-task.ts';
import type { CompactionJob } from './plan-jobs.ts';
import type { Retention } from './retention.ts';

export interface RunJobOptions {
  store: ObjectStore;
  manifest: Manifest;
  merger: BlockMerger;
  retention: Retention;
  rowGroupRows: number;
  pageRows: number;
  maxRows: number;
  singleObjectMaxBytes: number;
  random: Random;
  signal: AbortSignal;
}

export type JobOutcome =
  | { kind: 'done'; added: readonly BlockEntry[]; resends: number }
  /** Somebody else has replaced or removed some of the blocks. */
  | { kind: 'lost'; reason: string };

/**
 * Merges the blocks of a job and puts the result in their place by one commit. What fails before that commit leaves only
 * objects that nothing names: they are deleted here, or found by the sweep. Rejects as the merger does, with the errors
 * of the store, and with `commit-unknown` when the signal ends the waiting for a commit: the objects stay then.
 */
export async function runJob(job: CompactionJob, options: RunJobOptions): Promise<JobOutcome> {
  const { store, manifest, merger, retention, rowGroupRows, pageRows, maxRows, signal } = options;
  const { tenant } = manifest;
  const outputs = new Outputs(options);
  const added: BlockEntry[] = [];
  let resends: number;
  try {
    const task = { tenant, inputs: job.inputs, retention, rowGroupRows, pageRows, maxRows };
    const merged = await merger.merge(task, (...written) => outputs.write(...written), signal);
    for (const block of merged.blocks) added.push(newEntry(job, block, await outputs.finish(block.block)));
    resends = merged.resends;
  } catch (error) {
    await outputs.abort();
    // An input that is gone was replaced by somebody else, before the last root that we know.
    if (isKind(error, 'not-found')) return { kind: 'lost', reason: error.message };
    throw error;
  }
  const remove = job.inputs.map(({ id }) => id);
  const result = await manifest.commit({ add: added, remove, cover: [] }, signal);
  if (result.committed) return { kind: 'done', added, resends };
  // Nothing that commits later can name them any more.
  for (const { id, sections } of added) {
    const names = new Set(Object.values(sections).map(({ object }) => object));
    for (const name of names) await store.delete(blockKey(tenant, id, name), { signal }).catch(() => undefined);
  }
  return { kind: 'lost', reason: result.reason };
}

function newEntry(
  { inputs, level, misdated }: CompactionJob,
  { retentionClass, content }: MergedBlock,
  { id, sections }: Pick<BlockEntry, 'id' | 'sections'>,
): BlockEntry {
  return {
    ...content,
    id,
    sections,
    // Misdated blocks expire by it: they must not get younger by being merged.
    commitTimeMs: inputs.reduce((latest, entry) => Math.max(latest, entry.commitTimeMs), 0),
    level,
    retentionClass,
    applied: inputs.reduce((least, entry) => Math.min(least, entry.applied), Number.MAX_SAFE_INTEGER),
    ...(misdated && { misdated }),
  };
}

/** The blocks that a merge writes, by their numbers. */
class Outputs {
  readonly #options: RunJobOptions;
  readonly #outputs = new Map<number, Promise<BlockOutput>>();

  constructor(options: RunJobOptions) {
    this.#options = options;
  }

  async write(number: number, section: SectionName, bytes: Uint8Array): Promise<void> {
    let output = this.#outputs.get(number);
    if (output === undefined) this.#outputs.set(number, (output = this.#open()));
    await (await output).write(section, bytes);
  }

  async finish(number: number): Promise<Pick<BlockEntry, 'id' | 'sections'>> {
    const output = await (this.#outputs.get(number) ?? this.#open());
    return { id: output.id, sections: await output.finish() };
  }

  async abort(): Promise<void> {
    for (const opening of this.#outputs.values()) {
      const output = await opening.catch(() => undefined);
      await output?.abort();
    }
  }

  async #open(): Promise<BlockOutput> {
    const { manifest, store, random, singleObjectMaxBytes, signal } = this.#options;
    const id = uuidV7(await manifest.storeTimeMs(signal), random);
    return new BlockOutput({ store, tenant: manifest.tenant, id, singleObjectMaxBytes, signal });
  }
}
