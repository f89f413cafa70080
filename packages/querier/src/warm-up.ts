import { type BlockReader, batchesOf } from '@vivace/block';
import type { BlockEntry } from '@vivace/manifest';
import type { BlockReads } from './block-reads.ts';
import { findTrace } from './find-trace.ts';
import { PRACTICE_TRACE_BYTES } from './practice/practise.ts';

/**
 * Looks a trace of a block up that has just been put into the cache, so that its dictionaries are decoded before somebody
 * waits. What fails is reported by those who ask.
 */
export async function warmUp(tenant: string, entry: BlockEntry, reads: BlockReads): Promise<void> {
  const [id] = await someTraces(
    reads.open(tenant, entry, () => undefined),
    1,
  );
  if (id === undefined) return;
  await findTrace({ tenant, id, entries: [entry], named: 1, heads: [], maxBytes: PRACTICE_TRACE_BYTES }, reads);
}

/** Ids of `most` traces of a block, fewer where it has not as many in its first batch: spread evenly over it. */
export async function someTraces(reader: BlockReader, most: number): Promise<Uint8Array[]> {
  const [run] = batchesOf(await reader.index());
  if (run === undefined) return [];
  const columns = await reader.readRun(run);
  await columns.fetch({ fields: new Set(['traceIds']), keys: new Set(), eventFields: new Set(), eventKeys: new Set() });
  const ids = columns.traceIds();
  const count = Math.min(most, columns.traceCount);
  const step = Math.floor(columns.traceCount / Math.max(1, count));
  return Array.from({ length: count }, (_, i) => ids.slice(16 * i * step, 16 * i * step + 16));
}
