import { groupChunks, type TableGroup, type TableLayout } from '../block-index.ts';
import type { BlockCache } from '../cache.ts';
import type { ChunkCache, DecodedDictionary, GroupBytes } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import type { LoadedChunk } from '../parquet/whole-chunk.ts';
import { type ChunkPlace, placeChunk, planRanges } from './column-ranges.ts';

/** A row group that is in memory as a whole. */
export interface LoadedGroup {
  group: GroupBytes;
  chunks: ChunkLayout[];
  /** Cache keys of its pages, by their offsets: made once, and not for every page of every lookup. */
  keys: Map<number, string>;
}

export type Table = 'spans' | 'events' | 'resources';

export interface CallOptions {
  signal?: AbortSignal;
  /** Is told of every read how many bytes it had. */
  onRead?: (bytes: number) => void;
}

export type ReadSection = (table: Table, offset: number, length: number, options: CallOptions) => Promise<Uint8Array>;

/** What decoded directory entries cost, by chunk and by page. */
const CHUNK_BYTES = 200;
const PAGE_BYTES = 200;

/** Cache key of a row group; keys of its parts begin with it and a slash. */
export function groupKey(blockId: string, table: Table, group: number): string {
  return `${blockId}/${table}/${group}`;
}

/** What the entries of a row group's chunks take in a cache. */
export function layoutBytes(chunks: readonly ChunkLayout[]): number {
  return chunks.reduce((sum, { pages }) => sum + CHUNK_BYTES + PAGE_BYTES * pages.length, 0);
}

/** Column chunks of one block, read by byte ranges and kept in the cache. */
export class ChunkStore {
  readonly #blockId: string;
  readonly #cache: BlockCache;
  readonly #read: ReadSection;

  constructor(blockId: string, cache: BlockCache, read: ReadSection) {
    this.#blockId = blockId;
    this.#cache = cache;
    this.#read = read;
  }

  /** The chunks of a row group, whose bytes need not have been read. */
  layouts(table: Table, layout: TableLayout, group: number): ChunkLayout[] {
    const whole = this.#whole(table, group);
    if (whole !== undefined) return whole.chunks;
    const key = `${groupKey(this.#blockId, table, group)}/layout`;
    const known = this.#cache.get(key) as ChunkLayout[] | undefined;
    if (known !== undefined) return known;
    const chunks = groupChunks(layout, group);
    this.#cache.put(key, chunks, layoutBytes(chunks));
    return chunks;
  }

  /**
   * Some columns (ascending numbers) of a row group, by number; those without a value are left out. Reads what the
   * cache has not, in as few reads as the places of the chunks allow.
   */
  async load(
    table: Table,
    layout: TableLayout,
    group: number,
    columns: readonly number[],
    options: CallOptions,
  ): Promise<Map<number, LoadedChunk>> {
    const layouts = this.layouts(table, layout, group);
    const whole = this.#whole(table, group);
    const cache = this.#chunkCache(table, group);
    const loaded = new Map<number, LoadedChunk>();
    const add = (column: number, bytes: GroupBytes): void => {
      const { schema } = layout.columns[column] as TableLayout['columns'][number];
      loaded.set(column, { schema, layout: layouts[column] as ChunkLayout, group: bytes, cache });
    };
    const missing: ChunkPlace[] = [];
    for (const column of columns) {
      const place = placeChunk(column, layouts[column] as ChunkLayout);
      if (place === undefined) continue;
      const known = whole?.group ?? (this.#cache.get(this.#chunkKey(table, group, column)) as GroupBytes | undefined);
      if (known === undefined) missing.push(place);
      else add(column, known);
    }
    const { offset } = layout.groups[group] as TableGroup;
    await Promise.all(
      planRanges(missing).map(async ({ from, to, chunks }) => {
        const bytes = await this.#read(table, offset + from, to - from, options);
        for (const place of chunks) {
          // Memory of its own: a view of a range would keep all of it for as long as any of its chunks is kept.
          const own = chunks.length === 1 ? bytes : bytes.slice(place.from - from, place.to - from);
          const part: GroupBytes = { bytes: own, base: place.from, verified: new Set() };
          this.#cache.put(this.#chunkKey(table, group, place.column), part, own.length + CHUNK_BYTES);
          add(place.column, part);
        }
      }),
    );
    return loaded;
  }

  #whole(table: Table, group: number): LoadedGroup | undefined {
    return this.#cache.get(groupKey(this.#blockId, table, group)) as LoadedGroup | undefined;
  }

  #chunkKey(table: Table, group: number, column: number): string {
    return `${groupKey(this.#blockId, table, group)}/chunk/${column}`;
  }

  /** A scan uses dictionaries that lookups have decoded; what it inflates and decodes itself is kept as columns. */
  #chunkCache(table: Table, group: number): ChunkCache {
    const prefix = `${groupKey(this.#blockId, table, group)}/`;
    return {
      dictionary: (offset) => this.#cache.get(prefix + offset) as DecodedDictionary | undefined,
      putDictionary: () => {},
      page: () => undefined,
      reservePage: () => undefined,
      forgetPage: () => {},
    };
  }
}
