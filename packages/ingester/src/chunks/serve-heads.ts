import type { HeadChunk, HeadsAnswer, HeadsServing, HeadTraceAnswer } from '@vivace/rpc';
import type { Ingester } from '../ingester.ts';
import type { HeadChunks } from './head-chunks.ts';

/** The heads of an ingester for queriers in other processes. */
export function serveHeads(ingester: Ingester, chunks: HeadChunks): HeadsServing {
  return {
    rows: async ({ tenant, have, time }, signal): Promise<{ answer: HeadsAnswer; chunks: HeadChunk[] }> => {
      const { found, ...state } = await ingester.answerHeads(tenant, (builder, heads) => builder.views(heads), signal);
      // What nobody waits for is not encoded.
      signal.throwIfAborted();
      const { chunks: asked, others } = await chunks.chunksOf(found ?? [], time);
      const known = new Set(have);
      return {
        answer: { ...state, chunks: asked.map(({ entry }) => entry), others },
        chunks: asked.filter(({ entry }) => !known.has(entry.id)).map(({ entry, bytes }) => ({ id: entry.id, bytes })),
      };
    },
    trace: async (tenant, id, signal): Promise<HeadTraceAnswer> => {
      const { found, ...state } = await ingester.answerHeads(
        tenant,
        (builder, heads) => builder.trace(heads, id),
        signal,
      );
      return { ...state, parts: found ?? [] };
    },
  };
}
