import { type EncodedSpans, encodeSpans, mergeTrace } from '@vivace/columns';
import { isKind, Transferred, toVivaceError } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import type { BlockReads } from './block-reads.ts';
import type { TraceFound, TraceSearch } from './trace-search.ts';

/** Blocks looked into at the same time by one search. */
const CONCURRENCY = 16;
/** Parts of a trace are gathered up to this many times the answer's limit. */
const MAX_GATHERED = 2;

/** Joins what heads and blocks hold of a trace. */
export async function findTrace(search: TraceSearch, reads: BlockReads): Promise<Transferred> {
  const found: Omit<TraceFound, 'trace' | 'truncated'> = { missing: [], problems: [], damaged: [], inspectedBytes: 0 };
  const parts: EncodedSpans[] = [...search.heads];
  // Resends may make several parts shrink to one, but what is far over the limit is not gathered to be cut.
  const maxBytes = MAX_GATHERED * search.maxBytes;
  let gathered = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  let next = 0;
  const lane = async () => {
    while (next < search.entries.length && gathered <= maxBytes) {
      const spans = await readTrace(search, next++, reads, found);
      if (spans === undefined) continue;
      parts.push(spans);
      gathered += spans.bytes.length;
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, search.entries.length) }, lane));
  const { bytes, truncated } = mergeTrace(parts, { maxBytes: search.maxBytes });
  const answer: TraceFound = { ...found, trace: bytes, truncated: truncated || next < search.entries.length };
  return new Transferred(answer, [bytes.buffer as ArrayBuffer]);
}

/** A block that cannot be read is told in `found`, not thrown: the other blocks may have the trace. */
async function readTrace(
  { tenant, id, entries, named }: TraceSearch,
  number: number,
  reads: BlockReads,
  found: Omit<TraceFound, 'trace' | 'truncated'>,
): Promise<EncodedSpans | undefined> {
  const entry = entries[number] as BlockEntry;
  const reader = reads.open(tenant, entry, (bytes) => {
    found.inspectedBytes += bytes;
  });
  try {
    const view = await reader.readTrace(id, { isNamed: number < named });
    if (view === undefined) return undefined;
    return encodeSpans(
      view,
      Int32Array.from({ length: view.spanCount }, (_, row) => row),
    );
  } catch (error) {
    if (isKind(error, 'data')) found.damaged.push(entry.id);
    if (isKind(error, 'not-found')) found.missing.push(entry.id);
    else found.problems.push(`block ${entry.id} cannot be read: ${toVivaceError(error).message}`);
    return undefined;
  }
}
