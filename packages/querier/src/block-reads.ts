import { type BlockCache, type BlockReader, openBlock } from '@vivace/block';
import type { BlockEntry } from '@vivace/manifest';
import type { ReadRequest } from './trace-search.ts';

/** Asks the thread that has the store for bytes. */
export type AskForBytes = (request: ReadRequest) => Promise<Uint8Array>;

export interface BlockReads {
  /** A reader of a block; `onRead` hears of the bytes that come from the store. */
  open(tenant: string, entry: BlockEntry, onRead: (bytes: number) => void): BlockReader;
}

/** Blocks opened over one cache. */
export function createBlockReads({
  cache,
  seed,
  ask,
}: {
  cache: BlockCache;
  seed: number;
  ask: AskForBytes;
}): BlockReads {
  return {
    open: (tenant, entry, onRead) =>
      openBlock({
        place: entry,
        cache,
        seed,
        readRange: async (object, offset, length) => {
          const bytes = await ask({ tenant, block: entry.id, object, range: { offset, length } });
          onRead(bytes.length);
          return bytes;
        },
      }),
  };
}
