import type { Clock, Random, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { BlockEntry } from './block-entry.ts';
import { type CommitResult, Committer } from './committer.ts';
import { checkEdit, type ManifestEdit } from './edit.ts';
import type { Grave } from './graveyard.ts';
import { PAGE_MAX_BYTES, ROOT_MAX_BYTES } from './layout.ts';
import { tenantPrefix } from './paths.ts';
import type { PageRef, Root } from './root.ts';
import { StoreTime } from './store-time.ts';
import { type RootState, StoredRoot } from './stored-root.ts';
import type { TraceSegment } from './trace-segment.ts';

export interface ManifestOptions {
  store: ObjectStore;
  tenant: string;
  clock: Clock;
  random: Random;
  /** Called at most once, see `Manifest.commit`. */
  onAlarm?: (alarm: VivaceError) => void;
  /** A root above this moves its entries into pages. Default 64 KiB: a root is read and put whole. */
  rootMaxBytes?: number;
  /** Default 1 MiB. */
  pageMaxBytes?: number;
}

/** A tenant's list of blocks. Several in several processes may be open at the same time. */
export interface Manifest {
  readonly tenant: string;

  /**
   * What is live, from a root that was current at most `maxAgeMs` (default 5 s) ago; 0 asks the store. With
   * `range`, only entries with data in it, and only pages that can hold some are read. Errors of the store come
   * through; `data` for damage.
   */
  snapshot(signal: AbortSignal, options?: SnapshotOptions): Promise<ManifestSnapshot>;
  /** What `snapshot` without a range would answer, where that needs nothing of the store. */
  atHand(options?: Pick<SnapshotOptions, 'maxAgeMs'>): ManifestSnapshot | undefined;

  /**
   * Makes one atomic change; the objects of added blocks must be stored already. Tries until the outcome is
   * known, however long the store is down: the signal bounds that. Rejects, besides the signal's reason, with
   * - `unavailable`, code `commit-unknown`: the signal ended the waiting while a put was unanswered. The objects
   *   must stay. The same edit can be committed again: it answers `committed` if it was.
   * - `conflict`, code `commit-gap`: a step of coverage before this one is missing. Nothing was changed.
   * - `internal`, code `manifest-history`: the root went back in time or lost a commit. The alarm was raised,
   *   and this manifest commits no more.
   * - `limited` when too many edits wait or the root is full, `data` when it is damaged.
   */
  commit(edit: ManifestEdit, signal: AbortSignal): Promise<CommitResult>;

  /** Everything that the newest root names, for the sweep and for inspection. */
  inspect(signal: AbortSignal): Promise<ManifestContents>;

  /** The store's clock now, milliseconds since 1970: ids of blocks and streams are made with it. */
  storeTimeMs(signal: AbortSignal): Promise<number>;
}

export interface SnapshotOptions {
  maxAgeMs?: number;
  /** Unix nanoseconds, both ends included. */
  range?: { start: bigint; end: bigint };
}

export interface ManifestSnapshot {
  tenant: string;
  /** 0 where nothing was ever committed. */
  version: number;
  live: readonly BlockEntry[];
  /** Stream → the last segment that blocks hold of this tenant; absent is 0. */
  covered: ReadonlyMap<string, number>;
  /** The trace index, in the order of its ordinals. */
  segments: readonly TraceSegment[];
}

export interface ManifestContents extends ManifestSnapshot {
  floorMs: number;
  /** A floor and since when it stands, see `Root`. */
  aging: { floorMs: number; sinceMs: number };
  /** Ids of the pages that the root names. */
  pages: ReadonlySet<string>;
  graves: readonly Grave[];
}

const DEFAULT_MAX_AGE_MS = 5000;

/** Reads nothing yet. */
export function openManifest(options: ManifestOptions): Manifest {
  const { store, tenant, clock, random, onAlarm = () => undefined } = options;
  const { rootMaxBytes = ROOT_MAX_BYTES, pageMaxBytes = PAGE_MAX_BYTES } = options;
  const storedRoot = new StoredRoot({ store, tenant, clock, onAlarm });
  const storeTime = new StoreTime({ store, key: tenantPrefix(tenant), clock });
  const committer = new Committer({
    store,
    tenant,
    clock,
    random,
    storedRoot,
    storeTime,
    rootMaxBytes,
    pageMaxBytes,
  });

  /** The last one without a range. The same until the root is another: who asks often keeps what was made of it. */
  let whole: { root: Root; snapshot: ManifestSnapshot } | undefined;
  const snapshotOf = async (state: RootState, signal: AbortSignal, range?: SnapshotOptions['range']) => {
    const { root } = state;
    if (range === undefined && whole?.root === root) return whole.snapshot;
    const refs = root.pages.filter((ref) => overlaps(ref, range));
    const live = root.added.filter((entry) => overlaps(entry, range));
    for (const page of await storedRoot.pages(refs, signal)) {
      for (const entry of page.values()) if (!root.removed.has(entry.id) && overlaps(entry, range)) live.push(entry);
    }
    const { version, covered, segments } = root;
    const snapshot: ManifestSnapshot = { tenant, version, live, covered, segments };
    if (range === undefined) whole = { root, snapshot };
    return snapshot;
  };

  return {
    tenant,
    snapshot: (signal, { maxAgeMs = DEFAULT_MAX_AGE_MS, range } = {}) =>
      storedRoot.withPages(maxAgeMs, signal, (state) => snapshotOf(state, signal, range)),
    atHand: ({ maxAgeMs = DEFAULT_MAX_AGE_MS } = {}) =>
      whole?.root === storedRoot.state.root && storedRoot.isFresh(maxAgeMs) ? whole.snapshot : undefined,
    commit: async (edit, signal) => {
      checkEdit(edit);
      return committer.commit(edit, signal);
    },
    inspect: (signal) =>
      storedRoot.withPages(-1, signal, async (state) => {
        const { root } = state;
        const pages = new Set([...root.pages, ...root.gravePages].map(({ id }) => id));
        const graves = [...root.graves];
        for (const ref of root.gravePages) graves.push(...(await storedRoot.gravePage(ref, signal)));
        return { ...(await snapshotOf(state, signal)), floorMs: root.floorMs, aging: root.aging, pages, graves };
      }),
    storeTimeMs: (signal) => storeTime.nowMs(signal),
  };
}

function overlaps(of: Pick<PageRef, 'minStart' | 'maxEnd'>, range: SnapshotOptions['range']): boolean {
  return range === undefined || (of.minStart <= range.end && of.maxEnd >= range.start);
}
