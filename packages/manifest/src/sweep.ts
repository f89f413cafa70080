import { uuidV7TimeMs } from '@vivace/kernel';
import type { ListedObject, ObjectStore } from '@vivace/object-store';
import { graveKeys } from './graveyard.ts';
import type { Manifest } from './manifest.ts';
import {
  blocksPrefix,
  pagesPrefix,
  parseBlockKey,
  parsePageKey,
  parseSegmentKey,
  segmentsPrefix,
  tenantPrefix,
} from './paths.ts';

export interface SweepOptions {
  manifest: Manifest;
  store: ObjectStore;
  /**
   * The id of the oldest stream that is not closed, undefined where there is none. Called after the store's time
   * was taken: a stream opened later than that is younger than the floor.
   */
  oldestStream: (signal: AbortSignal) => Promise<string | undefined>;
  /** Removed blocks are kept this long for queries that planned with them: twice the longest query. Default: an hour. */
  graceMs?: number;
  signal: AbortSignal;
}

export interface SweepResult {
  floorMs: number;
  /** Objects that no root names, deleted. */
  garbage: number;
  /** Objects of removed blocks and pages, deleted. */
  buried: number;
  /** Keys that Vivace would not have made: left alone. */
  foreign: number;
}

const FLOOR_AGE_MS = 48 * 3600 * 1000;
const GRACE_MS = 3600 * 1000;
/** Objects that nothing names stay so long after they were put. */
const GARBAGE_AGE_MS = 3600 * 1000;

/**
 * Deletes what no root can ever name again: objects of writers that died or lost, and removed blocks.
 *
 * The floor comes first, and by a commit: from then on no root takes in a block, page or stream that is older.
 * So whatever is below it and not named now stays unnamed, however late its writer wakes up. Coverage of streams
 * below the floor is forgotten last, for a stream without coverage would otherwise look as if it were new: to
 * writers until the floor stands, and to queries as long as one may have listed the stream before it was closed.
 */
export async function sweepTenant(options: SweepOptions): Promise<SweepResult> {
  const { manifest, store, oldestStream, signal } = options;
  const { tenant } = manifest;
  const graceMs = options.graceMs ?? GRACE_MS;
  const first = await store.list(tenantPrefix(tenant), { limit: 1, signal });
  if (first.objects.length === 0) return { floorMs: 0, garbage: 0, buried: 0, foreign: 0 };
  const oldest = await oldestStream(signal);
  const floorMs = Math.min(
    first.storeTimeMs - FLOOR_AGE_MS,
    oldest === undefined ? Number.POSITIVE_INFINITY : uuidV7TimeMs(oldest),
  );
  if (floorMs > 0) await manifest.commit({ add: [], remove: [], cover: [], floorMs }, signal);

  const contents = await manifest.inspect(signal);
  const named = new Set([...contents.pages, ...contents.live.map(({ id }) => id)]);
  for (const { id } of contents.segments) named.add(id);
  for (const { id } of contents.graves) named.add(id);
  const result: SweepResult = { floorMs: contents.floorMs, garbage: 0, buried: 0, foreign: 0 };

  const idOf = [
    { prefix: blocksPrefix(tenant), parse: (key: string) => parseBlockKey(tenant, key)?.id },
    { prefix: pagesPrefix(tenant), parse: (key: string) => parsePageKey(tenant, key) },
    { prefix: segmentsPrefix(tenant), parse: (key: string) => parseSegmentKey(tenant, key) },
  ];
  let storeTimeMs = first.storeTimeMs;
  for (const { prefix, parse } of idOf) {
    for await (const page of listAll(store, prefix, signal)) {
      storeTimeMs = page.storeTimeMs;
      for (const { key, lastModifiedMs } of page.objects) {
        const id = parse(key);
        if (id === undefined) {
          result.foreign++;
          continue;
        }
        if (named.has(id) || uuidV7TimeMs(id) >= contents.floorMs) continue;
        // Its writer may still be at it. Its commit will be refused; until then its objects would come back.
        if (page.storeTimeMs - lastModifiedMs < GARBAGE_AGE_MS) continue;
        await store.delete(key, { signal });
        result.garbage++;
      }
    }
  }

  const bury = new Set<string>();
  for (const grave of contents.graves) {
    if (storeTimeMs - grave.removedMs <= graceMs) continue;
    for (const key of graveKeys(tenant, grave)) {
      await store.delete(key, { signal });
      result.buried++;
    }
    bury.add(grave.id);
  }
  const { aging } = contents;
  const forgets =
    storeTimeMs - aging.sinceMs > graceMs &&
    [...contents.covered.keys()].some((stream) => uuidV7TimeMs(stream) < contents.floorMs);
  if (bury.size > 0 || forgets) {
    const forget = forgets ? { forgetBelowMs: aging.floorMs } : {};
    await manifest.commit({ add: [], remove: [], cover: [], bury, ...forget }, signal);
  }
  return result;
}

async function* listAll(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<{ objects: ListedObject[]; storeTimeMs: number }> {
  for (let after: string | undefined; ; ) {
    const page = await store.list(prefix, { ...(after === undefined ? {} : { after }), signal });
    yield page;
    if (page.next === undefined) return;
    after = page.next;
  }
}
