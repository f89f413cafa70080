import { createBlockCache, encodeBlock, layoutObjects, openBlock } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import { encodeSpans, mergeTrace } from '@vivace/columns';
import { type Clock, hexToBytes, type Random, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';

const signal = new AbortController().signal;

/** A tenant's blocks in a store, made of plain spans, and its traces as lookups see them. */
export interface StoredTenant {
  readonly manifest: Manifest;
  /** Another process's view of the same tenant. */
  openManifest(): Manifest;
  /** Puts and commits one block of the spans, as a cut does. */
  addBlock(spans: readonly TestSpan[], change?: Partial<BlockEntry>): Promise<BlockEntry>;
  live(): Promise<readonly BlockEntry[]>;
  /** OTLP of a trace, of all live blocks; no bytes where none has it. */
  readTrace(traceId: string): Promise<Uint8Array>;
  /** Names of all objects of blocks. */
  objects(): Promise<string[]>;
}

export function createStoredTenant({
  store,
  tenant,
  clock,
  random,
  pageRows = 64,
  rowGroupRows = 256,
}: {
  store: ObjectStore;
  tenant: string;
  clock: Clock;
  random: Random;
  pageRows?: number;
  rowGroupRows?: number;
}): StoredTenant {
  const open = () => openManifest({ store, tenant, clock, random });
  const manifest = open();
  const live = async () => (await open().snapshot(signal, { maxAgeMs: 0 })).live;
  return {
    manifest,
    openManifest: open,
    live,
    addBlock: async (spans, change = {}) => {
      const set = buildSet(spans);
      const encoded = encodeBlock(set, blockOrder(set), { pageRows, rowGroupRows });
      const { objects, sections } = layoutObjects(encoded, 0);
      const id = uuidV7(await manifest.storeTimeMs(signal), random);
      let storeTimeMs = 0;
      for (const { name, parts } of objects) {
        ({ storeTimeMs } = await store.put(blockKey(tenant, id, name), parts));
      }
      const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
      const content = { sections, rows, traces, minStart, maxEnd, filterBytes };
      const entry = { ...content, id, commitTimeMs: storeTimeMs, level: 0, retentionClass: '', applied: 0, ...change };
      const result = await manifest.commit({ add: [entry], remove: [], cover: [] }, signal);
      if (!result.committed) throw new Error(result.reason);
      return entry;
    },
    readTrace: async (traceId) => {
      const parts = [];
      for (const entry of await live()) {
        const reader = openBlock({
          place: entry,
          cache: createBlockCache({ maxBytes: 1 << 22 }),
          readRange: async (object, offset, length) =>
            (await store.get(blockKey(tenant, entry.id, object), { range: { offset, length } })).bytes,
        });
        const view = await reader.readTrace(hexToBytes(traceId));
        if (view === undefined) continue;
        const rows = Int32Array.from({ length: view.spanCount }, (_, row) => row);
        parts.push(encodeSpans(view, rows));
      }
      return mergeTrace(parts, { maxBytes: 1 << 26 }).bytes;
    },
    objects: async () => (await store.list(`tenants/${tenant}/blocks/`)).objects.map(({ key }) => key),
  };
}
