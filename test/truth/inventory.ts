import { systemClock, systemRandom } from '@vivace/kernel';
import {
  blockKey,
  entryObjects,
  graveKeys,
  listTenants,
  type Manifest,
  openManifest,
  pageKey,
  rootKey,
  segmentKey,
  sweepTenant,
} from '@vivace/manifest';
import { createS3Store, type ListedObject, type ObjectStore } from '@vivace/object-store';
import type { S3Process } from '@vivace/object-store/testing';
import { parseLeaseKey, parseSegmentKey, SEAL_BYTES, sweepLog } from '@vivace/wal';
import { laterStore } from './later-store.ts';

/** Garbage goes after two days. */
const SWEEP_AHEAD_MS = 50 * 3_600_000;

/** How many objects of each class the bucket holds, their bytes, and those that should not be there. */
export interface Inventory {
  classes: Record<string, { objects: number; bytes: number }>;
  /** Bytes of all live blocks, and how many there are at each level of compaction. */
  liveBlocks: Record<string, number>;
  /** Objects of live blocks that are missing. */
  missing: string[];
  /** Objects that nothing names, older than the grace. */
  overdue: string[];
  /** Keys that Vivace does not make. */
  unknown: string[];
}

interface InventoryOptions {
  store: ObjectStore;
  /** What no root names may stay so long, for its writer may still be at it. */
  orphanMs: number;
  /** What a root has let go of may stay so long, for queries may still be at it. */
  graveMs: number;
  signal: AbortSignal;
}

/** What is in a swept bucket. Seals stay for a year; a claim is what a merge left that was killed. */
const NAMED = new Set(['root', 'live', 'page', 'index', 'seal', 'claim', 'probe']);
const JUDGE_TIMEOUT_MS = 300_000;

/** What is there now, and when everything that nobody names has been swept: then it is what the roots name. */
export async function judgeBucket(
  { endpoint, region, bucket, credentials }: S3Process,
  graces: Pick<InventoryOptions, 'orphanMs' | 'graveMs'>,
  onWrong: (error: Error) => void,
): Promise<{ inventory: Inventory; swept: Inventory }> {
  const store = await createS3Store({ bucket, endpoint, region, credentials });
  const judge = (inventory: Inventory): Inventory => {
    for (const kind of ['missing', 'overdue', 'unknown'] as const) {
      const keys = inventory[kind];
      if (keys.length > 0) onWrong(new Error(`${keys.length} objects are ${kind}: ${keys.slice(0, 5).join('; ')}`));
    }
    return inventory;
  };
  try {
    const signal = AbortSignal.timeout(JUDGE_TIMEOUT_MS);
    const inventory = judge(await takeInventory({ store, ...graces, signal }));
    await sweepLater(store, signal);
    const swept = judge(await takeInventory({ store, ...graces, signal }));
    const left = Object.keys(swept.classes).filter((name) => !NAMED.has(name));
    if (left.length > 0) onWrong(new Error(`left by the sweep: ${JSON.stringify(swept.classes)}`));
    return { inventory, swept };
  } finally {
    await store.close();
  }
}

/**
 * Compares everything that the bucket lists with what the roots name. Everything must be in blocks, and no process
 * may be at work: then no stream is open either.
 */
async function takeInventory(options: InventoryOptions): Promise<Inventory> {
  const { store, orphanMs, graveMs, signal } = options;
  const inventory: Inventory = { classes: {}, liveBlocks: {}, missing: [], overdue: [], unknown: [] };
  const classOf = new Map<string, string>();
  const overdueGraves = new Set<string>();
  for await (const tenant of listTenants(store, signal)) {
    const manifest = openManifest({ store, tenant, clock: systemClock, random: systemRandom });
    await nameTenant(manifest, classOf, overdueGraves, inventory, { graveMs, signal });
  }
  const listed = new Set<string>();
  for await (const { object, storeTimeMs } of listAll(store, signal)) {
    listed.add(object.key);
    const named = classOf.get(object.key) ?? otherClassOf(object);
    const ageMs = storeTimeMs - object.lastModifiedMs;
    if (named === 'unknown') inventory.unknown.push(object.key);
    if (overdueGraves.has(object.key)) inventory.overdue.push(`${object.key}, of a block removed long ago`);
    if (named === 'lease') inventory.overdue.push(`${object.key}, of a log that is covered`);
    // Of streams that are closed: their last owner died while it deleted them.
    if ((named === 'orphan' || named === 'log') && ageMs > orphanMs)
      inventory.overdue.push(`${object.key}, ${ageMs} ms old`);
    const count = (inventory.classes[named] ??= { objects: 0, bytes: 0 });
    count.objects++;
    count.bytes += object.size;
  }
  for (const [key, named] of classOf) {
    if (named !== 'grave' && !listed.has(key)) inventory.missing.push(key);
  }
  return inventory;
}

async function nameTenant(
  manifest: Manifest,
  classOf: Map<string, string>,
  overdueGraves: Set<string>,
  { liveBlocks }: Inventory,
  { graveMs, signal }: Pick<InventoryOptions, 'graveMs' | 'signal'>,
): Promise<void> {
  const { tenant } = manifest;
  const nowMs = await manifest.storeTimeMs(signal);
  const { live, pages, segments, graves, version } = await manifest.inspect(signal);
  if (version > 0) classOf.set(rootKey(tenant), 'root');
  for (const entry of live) {
    const level = `level ${entry.level}`;
    liveBlocks[level] = (liveBlocks[level] ?? 0) + 1;
    for (const object of entryObjects(entry)) classOf.set(blockKey(tenant, entry.id, object), 'live');
  }
  for (const page of pages) classOf.set(pageKey(tenant, page), 'page');
  for (const { id } of segments) classOf.set(segmentKey(tenant, id), 'index');
  for (const grave of graves) {
    for (const key of graveKeys(tenant, grave)) {
      classOf.set(key, 'grave');
      if (nowMs - grave.removedMs > graveMs) overdueGraves.add(key);
    }
  }
}

/** What is named by no root. */
function otherClassOf({ key, size }: ListedObject): string {
  if (/^tenants\/[^/]+\/((blocks|pages|traces)\/.*|root)$/.test(key)) return 'orphan';
  if (parseSegmentKey(key) !== undefined) return size === SEAL_BYTES ? 'seal' : 'log';
  if (parseLeaseKey(key) !== undefined) return 'lease';
  return key.startsWith('claims/') ? 'claim' : key.startsWith('probe/') ? 'probe' : 'unknown';
}

/**
 * Sweeps what nobody names as if it were days later, when nobody can be at it any more: the roots, what they have let
 * go of, and the logs. No process may be at work.
 */
async function sweepLater(plain: ObjectStore, signal: AbortSignal): Promise<void> {
  const store = laterStore(plain, SWEEP_AHEAD_MS);
  await sweepLog(store, signal);
  for await (const tenant of listTenants(store, signal)) {
    const manifest = openManifest({ store, tenant, clock: systemClock, random: systemRandom });
    await sweepTenant({ manifest, store, oldestStream: async () => undefined, signal });
  }
}

async function* listAll(
  store: ObjectStore,
  signal: AbortSignal,
): AsyncGenerator<{ object: ListedObject; storeTimeMs: number }> {
  for (let after: string | undefined; ; ) {
    const { objects, next, storeTimeMs } = await store.list('', { ...(after !== undefined && { after }), signal });
    for (const object of objects) yield { object, storeTimeMs };
    if (next === undefined) return;
    after = next;
  }
}
