import { createByteCache } from '@vivace/block';
import { type Clock, isKind, orAborted, toVivaceError } from '@vivace/kernel';
import { type BlockEntry, type ManifestSnapshot, segmentKey, type TraceSegment } from '@vivace/manifest';
import type { ByteRange, ObjectStore } from '@vivace/object-store';
import { bucketIn, bucketRange, checkSegment, findBlocks, segmentBytes, traceHash } from '@vivace/trace-index';
import { type IndexedSegment, indexSnapshot } from './snapshot-index.ts';
import { withPatience } from './store-patience.ts';

export interface TraceLocatorOptions {
  store: ObjectStore;
  clock: Clock;
  /** For segments and buckets of the trace index. */
  cacheBytes: number;
  /** Hears of segments that cannot be read. Answers stay right: the filters of their blocks are asked. */
  onProblem: (tenant: string, problem: string) => void;
  /** Hears of keys of which bytes were not what they should be. */
  onDamaged: (key: string) => void;
}

/** Blocks that may have a trace. */
export interface LocatedBlocks {
  entries: readonly BlockEntry[];
  /** Of the first so many the trace index says so; the others are unknown to it. */
  named: number;
}

/** A segment up to this is read whole: the request costs more than the bytes, and the next trace nothing. */
const WHOLE_SEGMENT_BYTES = 256 * 1024;
/** A larger one is read whole when so many of its buckets were asked for one by one, if there is room. */
const MANY_BUCKETS = 32;
const MAX_COUNTED = 10_000;
/** What an entry of the cache takes besides its bytes. */
const ENTRY_BYTES = 200;

/**
 * Says which blocks of a snapshot may have a trace, by the trace index: one read a segment where nothing is known yet.
 * Blocks that no segment knows, and those of a segment that cannot be read, are among them.
 */
export class TraceLocator {
  readonly #options: TraceLocatorOptions;
  readonly #cache: ReturnType<typeof createByteCache>;
  /** Reads under way, so that the same is not read twice at a time. */
  readonly #pending = new Map<string, Promise<Uint8Array>>();
  /** Buckets that were read of a segment. */
  readonly #reads = new Map<string, number>();

  constructor(options: TraceLocatorOptions) {
    this.#options = options;
    this.#cache = createByteCache({ maxBytes: options.cacheBytes });
  }

  /** Of the blocks that `isAsked` takes those that may have a trace. Rejects only as `signal` says. */
  async locate(
    snapshot: ManifestSnapshot,
    traceId: Uint8Array,
    isAsked: (entry: BlockEntry) => boolean,
    signal: AbortSignal,
  ): Promise<LocatedBlocks> {
    const { segments, unindexed, blocksOf } = indexSnapshot(snapshot);
    const hash = traceHash(traceId);
    const named = new Set<BlockEntry>();
    const unknown = new Set(unindexed.filter(isAsked));
    const look = async (indexed: IndexedSegment): Promise<void> => {
      const ordinals = await this.#ordinalsIn(snapshot.tenant, indexed, hash);
      if (ordinals === undefined) {
        for (const entry of indexed.blocks) if (isAsked(entry)) unknown.add(entry);
        return;
      }
      for (const ordinal of ordinals) {
        // Of several blocks that one was split into, one has the trace.
        const blocks = blocksOf(ordinal);
        const found = blocks.length === 1 ? named : unknown;
        for (const entry of blocks) if (isAsked(entry)) found.add(entry);
      }
    };
    const asked = segments.filter(({ blocks }) => blocks.some(isAsked));
    await orAborted(Promise.all(asked.map(look)), signal);
    return { entries: [...new Set([...named, ...unknown])], named: named.size };
  }

  /** Undefined: any of the segment's. */
  async #ordinalsIn(tenant: string, { segment }: IndexedSegment, hash: number): Promise<readonly number[] | undefined> {
    try {
      const bucket = this.#known(segment, hash) ?? (await this.#read(tenant, segment, hash));
      return findBlocks(segment, bucket, hash);
    } catch (error) {
      if (isKind(error, 'data')) this.#options.onDamaged(segmentKey(tenant, segment.id));
      this.#options.onProblem(
        tenant,
        `segment ${segment.id} of the trace index cannot be read: ${toVivaceError(error).message}`,
      );
      return undefined;
    }
  }

  #known(segment: TraceSegment, hash: number): Uint8Array | undefined {
    const whole = this.#cache.get(segment.id) as Uint8Array | undefined;
    if (whole !== undefined) return bucketIn(segment, whole, hash);
    return this.#cache.get(bucketKey(segment, hash)) as Uint8Array | undefined;
  }

  async #read(tenant: string, segment: TraceSegment, hash: number): Promise<Uint8Array> {
    if (!this.#isReadWhole(segment)) {
      const key = bucketKey(segment, hash);
      return this.#once(key, async () => {
        const bucket = await this.#get(tenant, segment, bucketRange(segment, hash));
        // Kept only if it is right: what is damaged in the store may be right when it is read again.
        findBlocks(segment, bucket, hash);
        this.#cache.put(key, bucket, bucket.length + ENTRY_BYTES);
        return bucket;
      });
    }
    const whole = await this.#once(segment.id, async () => {
      const bytes = await this.#get(tenant, segment);
      checkSegment(segment, bytes);
      this.#cache.put(segment.id, bytes, bytes.length + ENTRY_BYTES);
      return bytes;
    });
    return bucketIn(segment, whole, hash);
  }

  #isReadWhole(segment: TraceSegment): boolean {
    const bytes = segmentBytes(segment);
    if (bytes <= WHOLE_SEGMENT_BYTES) return true;
    const reads = (this.#reads.get(segment.id) ?? 0) + 1;
    this.#reads.delete(segment.id);
    this.#reads.set(segment.id, reads);
    if (this.#reads.size > MAX_COUNTED) this.#reads.delete(this.#reads.keys().next().value as string);
    return reads > MANY_BUCKETS && bytes <= this.#options.cacheBytes / 4;
  }

  async #get(tenant: string, { id }: TraceSegment, range?: ByteRange): Promise<Uint8Array> {
    const { clock, store } = this.#options;
    const options = range === undefined ? {} : { range };
    const { bytes } = await withPatience(clock, (signal) => store.get(segmentKey(tenant, id), { ...options, signal }));
    return bytes;
  }

  #once(key: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = read().finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }
}

function bucketKey(segment: TraceSegment, hash: number): string {
  return `${segment.id}/${bucketRange(segment, hash).offset}`;
}
