import { createByteCache } from '@vivace/block';
import { type Clock, type Random, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import type { TimeRange } from '@vivace/rpc';
import type { HeadView } from '../heads.ts';
import type { ChunkEncoder } from './chunk-encoder.ts';
import { isAsked, timesOf } from './chunk-times.ts';
import type { EncodedChunk } from './encode-chunk.ts';
import { planChunks, type RowRange } from './plan-chunks.ts';

/** Rows of a head, as queriers get them: a block in memory, and the entry that it would have. */
export interface Chunk {
  entry: BlockEntry;
  bytes: Uint8Array;
}

export interface HeadChunksOptions {
  encoder: ChunkEncoder;
  clock: Pick<Clock, 'nowMs'>;
  random: Random;
  maxBytes: number;
  /** As for `planChunks`. */
  sizes?: readonly number[];
}

/** What a chunk takes besides its bytes. */
const ENTRY_BYTES = 1000;

/** What a query has to look at of heads. */
export interface AskedChunks {
  chunks: Chunk[];
  /** Ids of chunks that are encoded and not looked at; who has them may keep them. */
  others: string[];
}

/** A range of which no row is live. */
interface Empty {
  chunk: undefined;
}

/**
 * The heads as chunks. Each is encoded once, kept within `maxBytes`, and has an id that no other content ever has:
 * what was let go and is encoded again gets a new one.
 */
export class HeadChunks {
  readonly #options: HeadChunksOptions;
  readonly #kept: ReturnType<typeof createByteCache>;
  /** Encoded now, by set and range. */
  readonly #encoding = new Map<string, Promise<Chunk | undefined>>();

  constructor(options: HeadChunksOptions) {
    this.#options = options;
    this.#kept = createByteCache(options);
  }

  /** Bytes of chunks that are kept. */
  get bytes(): number {
    return this.#kept.bytes;
  }

  /** All rows of the views that are live and may be of a time; what no query has looked at is not encoded. */
  async chunksOf(views: readonly HeadView[], time?: TimeRange): Promise<AskedChunks> {
    const others: string[] = [];
    const chunks = await Promise.all(views.map((view) => this.#chunksOfSet(view, time, others)));
    return { chunks: chunks.flat(), others };
  }

  async #chunksOfSet({ set, view }: HeadView, time: TimeRange | undefined, others: string[]): Promise<Chunk[]> {
    const nowMs = this.#options.clock.nowMs();
    const found: Promise<Chunk | undefined>[] = [];
    const missing: { range: RowRange; key: string; made: PromiseWithResolvers<Chunk | undefined> }[] = [];
    for (const range of planChunks(view.spanCount, this.#options.sizes)) {
      const key = `${set}:${range.from}-${range.to}`;
      const kept = this.#kept.get(key) as { chunk: Chunk } | Empty | undefined;
      if (time !== undefined && !isAsked(kept?.chunk?.entry ?? timesOf(view, range), time, nowMs)) {
        if (kept?.chunk !== undefined) others.push(kept.chunk.entry.id);
        continue;
      }
      const known = kept === undefined ? this.#encoding.get(key) : Promise.resolve(kept.chunk);
      if (known !== undefined) {
        found.push(known);
        continue;
      }
      const made = Promise.withResolvers<Chunk | undefined>();
      this.#encoding.set(key, made.promise);
      missing.push({ range, key, made });
      found.push(made.promise);
    }
    if (missing.length > 0) {
      const ranges = missing.map(({ range }) => range);
      this.#options.encoder.encode(view, ranges).then(
        (encoded) => {
          for (const [i, { key, made }] of missing.entries()) {
            const chunk = this.#nameOf(encoded[i]);
            this.#encoding.delete(key);
            this.#kept.put(key, { chunk } satisfies { chunk: Chunk } | Empty, ENTRY_BYTES + (chunk?.bytes.length ?? 0));
            made.resolve(chunk);
          }
        },
        (error: unknown) => {
          for (const { key, made } of missing) {
            this.#encoding.delete(key);
            made.reject(error as Error);
          }
        },
      );
    }
    return (await Promise.all(found)).filter((chunk) => chunk !== undefined);
  }

  #nameOf(encoded: EncodedChunk | undefined): Chunk | undefined {
    if (encoded === undefined) return undefined;
    const { clock, random } = this.#options;
    const { content, bytes } = encoded;
    const id = uuidV7(clock.nowMs(), random);
    return { entry: { ...content, id, commitTimeMs: 0, level: 0, retentionClass: '', applied: 0 }, bytes };
  }
}
