import type { ObjectStore } from '@vivace/object-store';

/** Reads of a tenant's objects, by what they are. */
export interface ReadCounts {
  root: number;
  pages: number;
  /** Of the trace index. */
  segments: number;
  /** By block: ranges, and the bytes of the longest. */
  blocks: Map<string, { reads: number; longest: number }>;
  bytes: number;
}

export interface CountedStore extends ObjectStore {
  /** What was read since it was asked last. */
  take(): ReadCounts;
}

const KEY = /^tenants\/[^/]+\/(?<kind>root|pages|traces|blocks)(?:\/..\/(?<block>[^/]+))?/;

/** A store whose reads are told apart by their keys. */
export function countReads(store: ObjectStore): CountedStore {
  let counts = zero();
  return {
    ...store,
    async get(key, options) {
      const object = await store.get(key, options);
      const { kind, block } = KEY.exec(key)?.groups ?? {};
      counts.bytes += object.bytes.length;
      if (kind === 'root') counts.root++;
      else if (kind === 'pages') counts.pages++;
      else if (kind === 'traces') counts.segments++;
      else if (block !== undefined) {
        const known = counts.blocks.get(block) ?? { reads: 0, longest: 0 };
        counts.blocks.set(block, {
          reads: known.reads + 1,
          longest: Math.max(known.longest, object.bytes.length),
        });
      }
      return object;
    },
    take() {
      const taken = counts;
      counts = zero();
      return taken;
    },
  };
}

function zero(): ReadCounts {
  return { root: 0, pages: 0, segments: 0, blocks: new Map(), bytes: 0 };
}
