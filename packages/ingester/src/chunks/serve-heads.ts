import type { HeadChunk, HeadsAnswer, HeadsServing, HeadTraceAnswer } from '@vivace/rpc';
import type { Ingester } from '../ingester.ts';
import type { HeadChunks } from './head-chunks.ts';

/** The heads of an ingester for queriers in other processes. */
export function serveHeads(ingester: Ingester, chunks: HeadChunks): HeadsServing {
  return {
    rows: async (tenant, have, signal): Promise<{ answer: HeadsAnswer; chunks: HeadChunk[] }> => {
      const { found, ...state } = await ingester.answerHeads(tenant, (builder, heads) => builder.views(heads), signal);
      const all = await chunks.chunksOf(found ?? []);
      return {
        answer: { ...state, chunks: all.map(({ entry }) => entry) },
        chunks: all.filter(({ entry }) => !have.has(entry.id)).map(({ entry, bytes }) => ({ id: entry.id, bytes })),
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
