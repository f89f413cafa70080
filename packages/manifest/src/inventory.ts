import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { BlockEntry } from './block-entry.ts';
import { decodeEntryPage, decodeGravePage } from './page.ts';
import { blocksPrefix, pagesPrefix, parseBlockKey, parsePageKey, rootKey, tenantPrefix } from './paths.ts';
import { decodeRoot } from './root.ts';

/** What the store has of a tenant, whatever its root says: for the day on which there is none. */
export interface Inventory {
  root: 'readable' | 'missing' | 'damaged';
  /** Blocks by id, each with its objects by name. */
  blocks: Map<string, Map<string, { size: number; lastModifiedMs: number }>>;
  /** Entries of blocks in pages that are still there. What they say of a block is right; whether it is live they do not say. */
  paged: Map<string, BlockEntry>;
  /** Ids of blocks that a page of the graveyard has: they were removed. */
  buried: Set<string>;
  /** Pages that cannot be read, or are of a kind that is not known. */
  unreadablePages: string[];
}

/** Lists everything of a tenant and reads its pages. `onProgress` is told of every object. */
export async function takeInventory(
  store: ObjectStore,
  tenant: string,
  signal: AbortSignal,
  onProgress: (objects: number) => void = () => undefined,
): Promise<Inventory> {
  const inventory: Inventory = {
    root: await stateOfRoot(store, tenant, signal),
    blocks: new Map(),
    paged: new Map(),
    buried: new Set(),
    unreadablePages: [],
  };
  for await (const { key, size, lastModifiedMs } of listAll(store, blocksPrefix(tenant), signal)) {
    onProgress(1);
    const parsed = parseBlockKey(tenant, key);
    if (parsed === undefined) continue;
    const objects = inventory.blocks.get(parsed.id) ?? new Map<string, { size: number; lastModifiedMs: number }>();
    objects.set(parsed.object, { size, lastModifiedMs });
    inventory.blocks.set(parsed.id, objects);
  }
  for await (const { key } of listAll(store, pagesPrefix(tenant), signal)) {
    onProgress(1);
    const id = parsePageKey(tenant, key);
    if (id !== undefined) await readPage(store, tenant, key, id, inventory, signal);
  }
  return inventory;
}

async function readPage(
  store: ObjectStore,
  tenant: string,
  key: string,
  id: string,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<void> {
  const bytes = await store
    .get(key, { signal })
    .then((found) => found.bytes)
    .catch((error: unknown) => {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    });
  if (bytes === undefined) return;
  const entries = readable(() => decodeEntryPage(bytes, tenant));
  const graves = entries === undefined ? readable(() => decodeGravePage(bytes, tenant, 0)) : undefined;
  for (const entry of entries ?? []) inventory.paged.set(entry.id, entry);
  for (const grave of graves ?? []) if (grave.kind === 'block') inventory.buried.add(grave.id);
  if (entries === undefined && graves === undefined) inventory.unreadablePages.push(id);
}

function readable<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (isKind(error, 'data')) return undefined;
    throw error;
  }
}

async function stateOfRoot(store: ObjectStore, tenant: string, signal: AbortSignal): Promise<Inventory['root']> {
  try {
    const { bytes, lastModifiedMs } = await store.get(rootKey(tenant), { signal });
    return readable(() => decodeRoot(bytes, tenant, lastModifiedMs)) === undefined ? 'damaged' : 'readable';
  } catch (error) {
    if (isKind(error, 'not-found')) return 'missing';
    throw error;
  }
}

/**
 * Puts a root that cannot be read out of the way, so that a first commit can make a new one; gives the key under which
 * its bytes still are. Nothing may be committing meanwhile.
 */
export async function setRootAside(
  store: ObjectStore,
  tenant: string,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const { bytes } = await store.get(rootKey(tenant), { signal });
  const key = `${tenantPrefix(tenant)}root-${name}`;
  await store.put(key, [bytes], { only: 'absent', signal });
  await store.delete(rootKey(tenant), { signal });
  return key;
}

async function* listAll(store: ObjectStore, prefix: string, signal: AbortSignal) {
  for (let after: string | undefined; ; ) {
    const page = await store.list(prefix, { ...(after === undefined ? {} : { after }), signal });
    yield* page.objects;
    if (page.next === undefined) return;
    after = page.next;
  }
}
