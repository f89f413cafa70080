import { isKind, uuidV7TimeMs } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { isSeal } from './bucket-found-stream.ts';
import { LEASES_PREFIX, LOG_PREFIX, parseLeaseKey, parseSegmentKey } from './bucket-layout.ts';
import { listPages } from './list-pages.ts';

const GARBAGE_AGE_MS = 48 * 3600 * 1000;
/** An owner that stalls for so long finds its seal no more; whatever it puts then nobody commits, so old is its stream. */
const SEAL_AGE_MS = 365 * 24 * 3600 * 1000;

/**
 * Deletes what closed streams have left in a bucket: segments that landed after they were dropped, once the stream is
 * two days old, and seals after a year. Returns how many objects.
 */
export async function sweepLog(store: ObjectStore, signal: AbortSignal): Promise<number> {
  let deleted = 0;
  for await (const { objects, storeTimeMs } of listPages(store, LOG_PREFIX, signal)) {
    const old = objects.flatMap(({ key, size, lastModifiedMs }) => {
      const at = parseSegmentKey(key);
      if (at === undefined || storeTimeMs - uuidV7TimeMs(at.stream) < GARBAGE_AGE_MS) return [];
      return [{ at, key, size, ageMs: storeTimeMs - lastModifiedMs }];
    });
    if (old.length === 0) continue;
    // After the segments: a stream that is closed then stays closed, or nothing in it is read again.
    const open = await openStreams(store, signal);
    for (const { at, key, size, ageMs } of old) {
      if (open.has(at.stream)) continue;
      if (ageMs < SEAL_AGE_MS && (await isSealNow(store, at, size, signal))) continue;
      await store.delete(key, { signal });
      deleted++;
    }
  }
  return deleted;
}

async function openStreams(store: ObjectStore, signal: AbortSignal): Promise<Set<string>> {
  const open = new Set<string>();
  for await (const { objects } of listPages(store, LEASES_PREFIX, signal)) {
    for (const { key } of objects) open.add(parseLeaseKey(key) ?? '');
  }
  return open;
}

async function isSealNow(
  store: ObjectStore,
  at: { stream: string; segment: number },
  size: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await isSeal(store, at, size, signal);
  } catch (error) {
    if (isKind(error, 'not-found')) return false;
    throw error;
  }
}
