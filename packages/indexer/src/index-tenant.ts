import { dataError, isKind, orAborted, type Random, uuidV7 } from '@vivace/kernel';
import { MAX_HOLES, type Manifest, type ManifestSnapshot, segmentKey, type TraceSegment } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger } from '@vivace/telemetry';
import { currentOrdinals, GONE } from './current-ordinals.ts';
import { planSegment, type SegmentLimits, type SegmentPlan } from './plan-segment.ts';
import type { SegmentBuilder } from './segment-builder.ts';
import type { SegmentUnreadable } from './segment-job.ts';

export interface IndexTenantOptions {
  manifest: Manifest;
  store: ObjectStore;
  builder: SegmentBuilder;
  random: Random;
  logger: Logger;
  limits?: SegmentLimits;
  signal: AbortSignal;
}

export interface IndexTenantResult {
  /** Segments committed. */
  segments: number;
  /** Their bytes. */
  bytes: number;
  /** Blocks that segments know now. */
  blocks: number;
}

/** Plans that come to nothing because others were faster, one after another. */
const MAX_LOST = 3;

/**
 * Brings the trace index of a tenant up to its newest root: makes segments of the blocks that none knows, until there
 * are none. Several may do this at the same time: of two that make the same segment one loses. Rejects with the errors
 * of the store.
 */
export async function indexTenant(options: IndexTenantOptions): Promise<IndexTenantResult> {
  const { manifest, limits, logger, signal } = options;
  const result: IndexTenantResult = { segments: 0, bytes: 0, blocks: 0 };
  for (let lost = 0; lost < MAX_LOST; ) {
    signal.throwIfAborted();
    const snapshot = await manifest.snapshot(signal, { maxAgeMs: 0 });
    const plan = planSegment(snapshot, limits);
    if (plan === undefined) return result;
    try {
      const made = await makeSegment(plan, snapshot, options);
      const index: { add: TraceSegment[]; remove: string[] } = {
        add: [],
        remove: [...plan.merged.map(({ id }) => id), ...plan.dead],
      };
      if (made !== undefined && 'unreadable' in made) {
        // Its blocks are those of no segment then, and are planned again.
        logger.warn(
          { tenant: manifest.tenant, segment: made.unreadable },
          'a segment of the trace index is unreadable',
        );
        index.remove = [made.unreadable];
      } else if (made !== undefined) index.add = [made.place];
      const outcome = await manifest.commit({ add: [], remove: [], cover: [], index }, signal);
      if (outcome.committed) {
        lost = 0;
        if (made === undefined || 'unreadable' in made) continue;
        result.segments++;
        result.bytes += made.bytes;
        result.blocks += plan.blocks.length;
      } else {
        lost++;
        for (const { id } of index.add) await deleteLost(options, id);
      }
    } catch (error) {
      // A block was compacted or deleted meanwhile: the next plan is without it.
      if (!isKind(error, 'not-found') || lost + 1 === MAX_LOST) throw error;
      lost++;
    }
  }
  return result;
}

/** Builds and stores a segment; undefined where a plan only takes segments away. */
async function makeSegment(
  plan: SegmentPlan,
  snapshot: ManifestSnapshot,
  { manifest, store, builder, random, logger, signal }: IndexTenantOptions,
): Promise<{ place: TraceSegment; bytes: number } | SegmentUnreadable | undefined> {
  const { blocks, merged, first, end, day } = plan;
  if (blocks.length === 0 && merged.length === 0) return undefined;
  const { tenant } = manifest;
  const id = uuidV7(await manifest.storeTimeMs(signal), random);
  const current = currentOrdinals(snapshot.live, first, end);
  const build = builder.build({
    tenant,
    id,
    first,
    end,
    blocks: blocks.map(({ entry, ordinal }) => ({ place: { id: entry.id, sections: entry.sections }, ordinal })),
    merged,
    current,
  });
  const made = await orAborted(build, signal);
  if ('unreadable' in made) return made;
  const known = merged.flatMap((segment) => segment.holes).filter((hole) => current[hole - first] !== GONE);
  const holes = [...new Set([...known, ...made.holes])].sort((a, b) => a - b);
  if (made.holes.length > 0) logger.warn({ tenant, ordinals: made.holes }, 'damaged blocks are not in the trace index');
  if (holes.length > MAX_HOLES) {
    throw dataError('trace-index-holes', `so many blocks cannot be read that there is no trace index: ${holes.length}`);
  }
  await store.put(segmentKey(tenant, id), [made.bytes], { only: 'absent', signal });
  const { buckets, stride, entries } = made;
  return { place: { id, day, first, end, holes, buckets, stride, entries }, bytes: made.bytes.length };
}

/** One that lost its commit; what cannot be deleted now is found by the sweep. */
async function deleteLost({ store, manifest, signal }: IndexTenantOptions, id: string): Promise<void> {
  await store.delete(segmentKey(manifest.tenant, id), { signal }).catch(() => undefined);
}
