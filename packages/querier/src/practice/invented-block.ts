import { createBlockCache, encodeBlock, layoutObjects } from '@vivace/block';
import { Columnizer, ColumnSet, sortedRows } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type BlockReads, createBlockReads } from '../block-reads.ts';
import { inventSpans } from './invented-spans.ts';

export interface InventedBlocks {
  entries: BlockEntry[];
  reads: BlockReads;
}

const LIMITS = { maxAttributeBytes: 1 << 16, maxTraceBytes: 1 << 24 };
const MAX_COLUMNS = 64;
const CACHE_BYTES = 16 * 1024 * 1024;
const TRACES_A_REQUEST = 100;

/** Blocks in memory, of `traces` traces each from the number given on, and a reader of them with a cache of its own. */
export async function inventBlocks(
  firsts: readonly number[],
  traces: number,
  seed: number,
  breathe: () => Promise<void>,
): Promise<InventedBlocks> {
  const objects = new Map<string, Uint8Array>();
  const entries: BlockEntry[] = [];
  for (const [i, first] of firsts.entries()) {
    const id = `00000000-0000-7000-8000-00000000000${i}`;
    const set = new ColumnSet({ seed, maxColumns: MAX_COLUMNS });
    const columnizer = new Columnizer(set, LIMITS);
    for (let at = 0; at < traces; at += TRACES_A_REQUEST) {
      columnizer.add(inventSpans(first + at, Math.min(TRACES_A_REQUEST, traces - at)));
      await breathe();
    }
    const view = set.view();
    const encoded = encodeBlock(view, sortedRows(view), { seed });
    const { objects: parts, sections } = layoutObjects(encoded);
    for (const { name, parts: bytes } of parts) objects.set(`${id}/${name}`, concatBytes(bytes));
    const { rows, traces: count, minStart, maxEnd, filterBytes } = encoded;
    const content = { sections, rows, traces: count, minStart, maxEnd, filterBytes };
    entries.push({ id, ...content, commitTimeMs: 0, level: 0, retentionClass: '', applied: 0 });
    await breathe();
  }
  const reads = createBlockReads({
    cache: createBlockCache({ maxBytes: CACHE_BYTES, filterBytes: CACHE_BYTES }),
    seed,
    ask: async ({ block, object, range: { offset, length } }) =>
      (objects.get(`${block}/${object}`) as Uint8Array).slice(offset, offset + length),
  });
  return { entries, reads };
}
