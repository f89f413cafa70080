import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { type FoundStream, listSegments } from './bucket-found-stream.ts';
import { LEASES_PREFIX, parseLeaseKey, SEAL_BYTES } from './bucket-layout.ts';
import { readLease, type StoredLease } from './bucket-lease-keeper.ts';
import { listPages } from './list-pages.ts';
import type { ForeignStream } from './log.ts';

/** More streams than this are not looked at: an installation has one for each of its ingesters. */
const STREAMS_MAX = 10_000;
/** Leases that are read in one look, to see whether their owner has stopped. */
const LEASES_READ_MAX = 256;

export interface OthersOptions {
  store: ObjectStore;
  /** What this process has of a stream that it opened. */
  own: (id: string) => { state: 'open' | 'ended' | 'lost' } | undefined;
  /** Streams that were found before. */
  known: (id: string) => boolean;
  leaseMaxAgeMs: number;
  /** Streams of this name may be taken over at once. */
  instance: string | undefined;
  onUnknown: (key: string) => void;
  signal: AbortSignal | undefined;
}

/** Streams in the bucket: those that may be taken over and are not known yet, and those of others who live. */
export async function findOthers(options: OthersOptions): Promise<{
  listed: ReadonlySet<string>;
  found: FoundStream[];
  foreign: ForeignStream[];
}> {
  const { store, own, known, leaseMaxAgeMs, instance, signal } = options;
  const leases = await listLeases(options);
  const found: FoundStream[] = [];
  const foreign: ForeignStream[] = [];
  let read = 0;
  for (const [id, ageMs] of leases) {
    const state = own(id)?.state;
    if (known(id) || (state !== undefined && state !== 'lost')) continue;
    let atOnce = false;
    let lease: StoredLease | undefined;
    if (ageMs <= leaseMaxAgeMs) {
      if (read++ < LEASES_READ_MAX) lease = await leaseOf(options, id);
      const name = lease?.lease?.instance ?? '';
      atOnce = lease?.lease?.released === true || (instance !== undefined && name === instance);
      if (!atOnce) {
        // What an own stream holds that was taken over is here, as long as blocks do not have it.
        if (state === undefined) foreign.push({ stream: id, instance: name });
        continue;
      }
    }
    const segments = (await listSegments(store, id, lease?.lease?.dropped ?? 0, signal))
      .filter(({ size }) => size !== SEAL_BYTES)
      .map(({ number, size }) => ({ number, bytes: size, tenants: [] }));
    found.push({ id, segments, sealedAt: undefined, atOnce, damage: [] });
  }
  return { listed: new Set(leases.keys()), found, foreign };
}

/** Streams with a lease, and how old each lease is by the store's clock. */
async function listLeases({ store, onUnknown, signal }: OthersOptions): Promise<Map<string, number>> {
  const leases = new Map<string, number>();
  for await (const { objects, storeTimeMs } of listPages(store, LEASES_PREFIX, signal)) {
    for (const { key, lastModifiedMs } of objects) {
      const id = parseLeaseKey(key);
      if (id === undefined) onUnknown(key);
      else leases.set(id, storeTimeMs - lastModifiedMs);
    }
    if (leases.size >= STREAMS_MAX) break;
  }
  return leases;
}

async function leaseOf({ store, signal }: OthersOptions, id: string): Promise<StoredLease | undefined> {
  try {
    return await readLease(store, id, signal);
  } catch (error) {
    // Closed since the list: the next look sees.
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}
