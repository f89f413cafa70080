import type { BlockEntry, Manifest } from '@vivace/manifest';
import { expired, type Retention } from './retention.ts';

/** Blocks of one commit, at most. */
const MAX_REMOVED = 1000;
const MAX_ATTEMPTS = 3;

/**
 * Removes the blocks that are too old, and returns them. Where a merge was faster, what is left of them is looked at
 * again.
 */
export async function expireBlocks(
  manifest: Manifest,
  retention: Retention,
  signal: AbortSignal,
): Promise<readonly BlockEntry[]> {
  const gone: BlockEntry[] = [];
  let lost = 0;
  for (let maxAgeMs = 5000; lost < MAX_ATTEMPTS; ) {
    const { live } = await manifest.snapshot(signal, { maxAgeMs });
    const old = expired(live, retention, await manifest.storeTimeMs(signal)).slice(0, MAX_REMOVED);
    if (old.length === 0) break;
    const result = await manifest.commit({ add: [], remove: old.map(({ id }) => id), cover: [] }, signal);
    if (result.committed) gone.push(...old);
    else lost++;
    maxAgeMs = 0;
  }
  return gone;
}
