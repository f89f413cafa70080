import { createBlockCache, openBlock } from '@vivace/block';
import { isKind, serveWorker, Transferred, workerArgument } from '@vivace/kernel';
import {
  checkBuckets,
  keyHash,
  MAX_SORTED,
  mergeSegments,
  sortPostings,
  type TracePostings,
} from '@vivace/trace-index';
import { GONE } from './current-ordinals.ts';
import type { SegmentJob, SegmentMade, SegmentUnreadable } from './segment-job.ts';

// The indexer's thread: reads the trace lists of blocks, sorts hashes and merges segments. Bytes come from the thread
// that started it.

/** Blocks read at the same time. */
const CONCURRENCY = 8;
/** Indexes are read once. */
const CACHE_BYTES = 4 * 1024 * 1024;

const { seed } = workerArgument() as { seed: number };
const call = serveWorker(new Map<string, (job: never) => unknown>([['build', build]]));

async function build(job: SegmentJob): Promise<Transferred | SegmentUnreadable> {
  const holes: number[] = [];
  const postings = await readPostings(job, holes);
  const segments = [];
  for (const place of job.merged) {
    try {
      const bytes = (await call('segment', { tenant: job.tenant, id: place.id })) as Uint8Array;
      checkBuckets(place, bytes);
      segments.push({ place, bytes, entries: place.entries });
    } catch (error) {
      if (!isKind(error, 'data', 'not-found')) throw error;
      return { unreadable: place.id };
    }
  }
  const { first, current } = job;
  const made = mergeSegments({
    ...job,
    segments,
    postings,
    current: (ordinal) => {
      // Of what the snapshot does not know nothing is gone.
      const now = current[ordinal - first];
      return now === undefined ? ordinal : now === GONE ? undefined : first + now;
    },
  });
  const answer: SegmentMade = { ...made, holes: holes.sort((a, b) => a - b) };
  return new Transferred(answer, [made.bytes.buffer as ArrayBuffer]);
}

/** The traces of the new blocks. A block that is damaged leaves a hole. */
async function readPostings({ tenant, blocks }: SegmentJob, holes: number[]): Promise<TracePostings[]> {
  const postings: TracePostings[] = [];
  let hashes = new Uint32Array(MAX_SORTED);
  let ordinals = new Float64Array(MAX_SORTED);
  let count = 0;
  const flush = (): void => {
    postings.push(sortPostings(hashes.subarray(0, count), ordinals.subarray(0, count)));
    count = 0;
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      const block = blocks[next++];
      if (block === undefined) return;
      const ids = await readTraceKeys(tenant, block.place).catch((error: unknown) => {
        if (!isKind(error, 'data')) throw error;
        holes.push(block.ordinal);
        return [];
      });
      for (const list of ids) {
        for (let at = 0; at < list.length; at += 8) {
          if (count === MAX_SORTED) flush();
          hashes[count] = keyHash(list, at);
          ordinals[count++] = block.ordinal;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  flush();
  hashes = new Uint32Array(0);
  ordinals = new Float64Array(0);
  return postings;
}

/** Eight bytes of every trace id of a block, by row groups; one read where its index is not large. */
async function readTraceKeys(tenant: string, place: SegmentJob['blocks'][number]['place']): Promise<Uint8Array[]> {
  const reader = openBlock({
    place,
    cache: createBlockCache({ maxBytes: CACHE_BYTES }),
    seed,
    readRange: (object, offset, length) =>
      call('read', { tenant, block: place.id, object, range: { offset, length } }) as Promise<Uint8Array>,
  });
  const { traceGroups } = await reader.index();
  const lists: Uint8Array[] = [];
  for (let group = 0; group < traceGroups.length; group++) lists.push((await reader.readTraceList(group)).ids);
  return lists;
}
