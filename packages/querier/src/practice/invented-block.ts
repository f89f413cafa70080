import { createBlockCache, encodeBlock, layoutObjects } from '@vivace/block';
import { Columnizer, ColumnSet, sortedRows } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type BlockReads, createBlockReads } from '../block-reads.ts';

export interface InventedBlocks {
  entries: BlockEntry[];
  reads: BlockReads;
}

const LIMITS = { maxAttributeBytes: 1 << 16, maxTraceBytes: 1 << 24 };
const MAX_COLUMNS = 64;
const CACHE_BYTES = 16 * 1024 * 1024;

/** Blocks in memory of one export request each, and a reader of them with a cache of its own. */
export function inventBlocks(requests: readonly Uint8Array[], seed: number): InventedBlocks {
  const objects = new Map<string, Uint8Array>();
  const entries = requests.map((request, i): BlockEntry => {
    const id = `00000000-0000-7000-8000-00000000000${i}`;
    const set = new ColumnSet({ seed, maxColumns: MAX_COLUMNS });
    new Columnizer(set, LIMITS).add(request);
    const view = set.view();
    const encoded = encodeBlock(view, sortedRows(view), { seed });
    const { objects: parts, sections } = layoutObjects(encoded);
    for (const { name, parts: bytes } of parts) objects.set(`${id}/${name}`, concatBytes(bytes));
    const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
    const content = { sections, rows, traces, minStart, maxEnd, filterBytes };
    return { id, ...content, commitTimeMs: 0, level: 0, retentionClass: '', applied: 0 };
  });
  const reads = createBlockReads({
    cache: createBlockCache({ maxBytes: CACHE_BYTES }),
    seed,
    ask: async ({ block, object, range: { offset, length } }) =>
      (objects.get(`${block}/${object}`) as Uint8Array).slice(offset, offset + length),
  });
  return { entries, reads };
}
