import { bytesToHex, type Clock, isKind, type Random, utf8Encode } from '@vivace/kernel';
import { encodeTenant } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { CompactionJob } from './plan-jobs.ts';

/*
 * A claim tells other compactors that somebody works on a window. It saves work and nothing else: two that hold the same
 * one merge the same blocks, and the commit of one of them is lost. So nothing here is tried twice.
 */

export interface Claim {
  /** Lets others have it. */
  release(): Promise<void>;
}

export interface ClaimOptions {
  store: ObjectStore;
  key: string;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

const PREFIX = 'claims/';
const RENEW_MS = 15_000;
/** By the store's clock; a holder that stalls longer may be doing it beside another. */
const EXPIRES_MS = 60_000;
/** Of holders that died; what is younger may be renewed any moment. */
const LEFT_OVER_MS = 3_600_000;

export function claimKey(tenant: string, { level, windowStartMs, misdated }: CompactionJob): string {
  return `${PREFIX}${encodeTenant(tenant)}/${level}-${windowStartMs}${misdated ? '-misdated' : ''}`;
}

/** Undefined when somebody else has it, or the store does not say. */
export async function takeClaim(options: ClaimOptions): Promise<Claim | undefined> {
  const { store, key, clock, random, signal } = options;
  const name = bytesToHex(random.bytes(8));
  let renewals = 0;
  // Never the same bytes twice: the ETag tells them apart.
  const body = () => [utf8Encode(`${name} ${renewals++}`)];
  let etag = await putFirst(options, body());
  if (etag === undefined) return undefined;
  let cancel: () => void = () => undefined;
  const renewLater = () => {
    cancel = clock.after(RENEW_MS, () => void renew());
  };
  const renew = async () => {
    if (etag === undefined) return;
    try {
      etag = (await store.put(key, body(), { only: { etag }, signal })).etag;
    } catch (error) {
      if (isKind(error, 'conflict')) etag = undefined;
    }
    if (etag !== undefined && !signal.aborted) renewLater();
  };
  renewLater();
  return {
    release: async () => {
      cancel();
      const mine = etag !== undefined;
      etag = undefined;
      if (mine) await store.delete(key).catch(() => undefined);
    },
  };
}

async function putFirst({ store, key, signal }: ClaimOptions, body: Uint8Array[]): Promise<string | undefined> {
  try {
    return (await store.put(key, body, { only: 'absent', signal })).etag;
  } catch (error) {
    if (!isKind(error, 'conflict')) return undefined;
  }
  try {
    const { etag, lastModifiedMs, storeTimeMs } = await store.head(key, { signal });
    if (storeTimeMs - lastModifiedMs < EXPIRES_MS) return undefined;
    return (await store.put(key, body, { only: { etag }, signal })).etag;
  } catch {
    return undefined;
  }
}

/** Deletes what holders that died have left. */
export async function sweepClaims(store: ObjectStore, signal: AbortSignal): Promise<number> {
  let swept = 0;
  for (let after = ''; ; ) {
    const { objects, next, storeTimeMs } = await store.list(PREFIX, { after, signal });
    for (const { key, lastModifiedMs } of objects) {
      if (storeTimeMs - lastModifiedMs < LEFT_OVER_MS) continue;
      await store.delete(key, { signal });
      swept++;
    }
    if (next === undefined) return swept;
    after = next;
  }
}
