import { findSections } from '@vivace/block';
import { isKind, uuidV7TimeMs } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Inventory, type ManifestContents } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { type ContainedBlock, findContained } from './contained-blocks.ts';

/** What a new root would hold. */
export interface RebuildPlan {
  /** Blocks to be added. */
  add: BlockEntry[];
  /** Of those, blocks whose facts come from a page of the old root, and not from their objects alone. */
  fromPages: number;
  /** Blocks of which all spans are in other blocks: what compaction replaced. */
  contained: ContainedBlock[];
  /** Removed, by a page of the graveyard. */
  buried: string[];
  /** Not all of their objects are there: writing or deleting was not finished. */
  incomplete: string[];
  /** Their index cannot be read, and no page has their entry. */
  unreadable: { id: string; why: string }[];
  /** Live in the readable root, but their objects are gone. */
  gone: string[];
}

export interface RebuildOptions {
  store: ObjectStore;
  tenant: string;
  inventory: Inventory;
  /** What the root says, where it can be read. */
  contents: ManifestContents | undefined;
  signal: AbortSignal;
  onProgress: () => void;
}

/** Spans are at most so much older than the block that they were cut into, and so much younger, unless it is misdated. */
const OLDEST_SPAN_MS = 26 * 3_600_000;
const YOUNGEST_SPAN_MS = 15 * 60_000;

/** Works out what a root over the blocks of the store should hold. Reads only. */
export async function planRebuild(options: RebuildOptions): Promise<RebuildPlan> {
  const { inventory, contents, signal, onProgress } = options;
  const plan: RebuildPlan = {
    add: [],
    fromPages: 0,
    contained: [],
    buried: [],
    incomplete: [],
    unreadable: [],
    gone: [],
  };
  const live = new Map((contents?.live ?? []).map((entry) => [entry.id, entry]));
  const graves = new Set([...inventory.buried, ...(contents?.graves ?? []).map(({ id }) => id)]);
  for (const id of live.keys()) if (!inventory.blocks.has(id)) plan.gone.push(id);
  const found: BlockEntry[] = [];
  for (const id of [...inventory.blocks.keys()].sort()) {
    signal.throwIfAborted();
    onProgress();
    const known = live.get(id);
    if (known !== undefined) found.push(known);
    else if (graves.has(id)) plan.buried.push(id);
    else {
      const entry = await describeBlock(id, options, plan);
      if (entry !== undefined) found.push(entry);
    }
  }
  const contained = await findContained(found, options);
  const levels = new Map<string, number>();
  for (const entry of found) {
    for (const holder of contained.get(entry.id)?.in ?? []) {
      levels.set(holder, Math.max(levels.get(holder) ?? 0, entry.level + 1));
    }
  }
  for (const entry of found) {
    const inOthers = contained.get(entry.id);
    // What a readable root has stays: its history is better than a guess.
    if (inOthers !== undefined && !live.has(entry.id)) plan.contained.push(inOthers);
    else if (!live.has(entry.id)) plan.add.push(settled(entry, inventory, levels.get(entry.id)));
  }
  plan.fromPages = plan.add.filter(({ id }) => inventory.paged.has(id)).length;
  return plan;
}

/** What can be told of a block; undefined, and noted in the plan, where that is not enough. */
async function describeBlock(
  id: string,
  { store, tenant, inventory, signal }: RebuildOptions,
  plan: RebuildPlan,
): Promise<BlockEntry | undefined> {
  const objects = inventory.blocks.get(id) ?? new Map<string, { size: number; lastModifiedMs: number }>();
  const paged = inventory.paged.get(id);
  if (paged !== undefined) {
    const whole = Object.values(paged.sections).every(
      ({ object, offset, length }) => (objects.get(object)?.size ?? -1) >= offset + length,
    );
    if (!whole) plan.incomplete.push(id);
    return whole ? paged : undefined;
  }
  try {
    const sizes = new Map([...objects].map(([name, { size }]) => [name, size]));
    const found = await findSections(
      sizes,
      async (object, offset, length) =>
        (await store.get(blockKey(tenant, id, object), { range: { offset, length }, signal })).bytes,
      signal,
    );
    if (found === undefined) {
      plan.incomplete.push(id);
      return undefined;
    }
    const commitTimeMs = Math.max(...[...objects.values()].map(({ lastModifiedMs }) => lastModifiedMs));
    return { id, ...found, commitTimeMs, level: 0, retentionClass: '', applied: 0 };
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    plan.unreadable.push({ id, why: error.message });
    return undefined;
  }
}

/**
 * The entry with what only guesses can tell, unless a page tells it: a block that has others in it was compacted, and
 * one whose spans are far from the time at which it was cut is misdated.
 */
function settled(entry: BlockEntry, { paged }: Inventory, level: number | undefined): BlockEntry {
  if (paged.has(entry.id)) return entry;
  if (level !== undefined) return { ...entry, level };
  const cutMs = uuidV7TimeMs(entry.id);
  const oldest = Number(entry.minStart / 1_000_000n);
  const youngest = Number(entry.maxEnd / 1_000_000n);
  return oldest < cutMs - OLDEST_SPAN_MS || youngest > cutMs + YOUNGEST_SPAN_MS ? { ...entry, misdated: true } : entry;
}
