import type { SearchRequest } from '@vivace/block-query';
import { createSegmentBuilder, indexTenant, type SegmentBuilder } from '@vivace/indexer';
import { type Clock, type Random, VivaceError } from '@vivace/kernel';
import { type Manifest, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { Querier } from '@vivace/querier';
import { createLogger, type Logger } from '@vivace/telemetry';
import { parse } from '@vivace/traceql';
import { type ManyBlocks, storeManyBlocks } from './many-blocks.ts';
import { type CountedStore, countReads, type ReadCounts } from './read-counts.ts';

export const KINDS = ['by id', 'absent id', 'needle', 'absent value'] as const;
export type Kind = (typeof KINDS)[number];

/** Reads of one question, and how long it took. */
export interface Lookup {
  kind: Kind;
  /** The process had answered nothing before; else: the same question again. */
  isCold: boolean;
  /** Reads from the block that has what is asked for. */
  holder: number;
  /** Reads to find it: segments of the trace index, and of blocks that do not have it. */
  finding: number;
  /** The longest read of a block that does not have it and is not opened. */
  longestBytes: number;
  /** Blocks that do not have it and were opened, because their filter said maybe. */
  inVain: number;
  root: number;
  pages: number;
  ms: number;
  /** Processor time of all threads: on a busy machine it says more. */
  cpuMs: number;
  /** The answer was right. */
  isRight: boolean;
}

export interface LookupRig {
  store: ObjectStore;
  stored: ManyBlocks;
  segments: number;
  segmentBytes: number;
  /** Questions of every kind in a process that begins, each asked twice; `samples` of each. */
  measure(samples: number): Promise<Lookup[]>;
  /** Times of `count` lookups of different known ids, and as many absent ones, in a process that has seen others before. */
  warmTimes(count: number): Promise<{ knownMs: number[]; absentMs: number[]; readsPerLookup: number }>;
}

export interface LookupOptions {
  store: ObjectStore;
  clock: Clock;
  random: Random;
  blocks: number;
  days: number;
  signal: AbortSignal;
}

const TENANT = 'many';
const MAX_TRACE_BYTES = 1 << 20;

/** A tenant of many blocks whose trace index is up to date. */
export async function createLookupRig(options: LookupOptions): Promise<LookupRig> {
  const { store, clock, random, signal } = options;
  const logger = createLogger({ level: 'error', format: 'text', stream: process.stderr });
  const open = (of: ObjectStore): Manifest => openManifest({ store: of, tenant: TENANT, clock, random });
  const manifest = open(store);
  const stored = await storeManyBlocks({ ...options, manifest });
  const builder = createSegmentBuilder({ store, seed: random.u32(), onExit: fail });
  try {
    await index({ manifest, store, builder, random, logger, signal });
  } finally {
    await builder.stop();
  }
  const { segments } = await manifest.snapshot(signal);
  const segmentBytes = segments.reduce((sum, { buckets, stride }) => sum + 64 + buckets * stride, 0);
  const start = (): { querier: Querier; counted: CountedStore } => {
    const counted = countReads(store);
    const own = open(counted);
    const querier = new Querier({
      heads: {
        findTrace: async () => ({ parts: [], problems: [] }),
        headViews: async () => ({ views: [], problems: [] }),
      },
      manifest: () => own,
      store: counted,
      cacheBytes: 256 * 1024 * 1024,
      filterCacheBytes: 64 * 1024 * 1024,
      workers: 1,
      keepsPartials: false,
      clock,
      random,
      logger,
      onExit: fail,
    });
    return { querier, counted };
  };
  return {
    store,
    stored,
    segments: segments.length,
    segmentBytes,
    measure: async (samples) => {
      const lookups: Lookup[] = [];
      for (let sample = 0; sample < samples; sample++) {
        const at = Math.floor(((sample + 0.5) * stored.known.length) / samples);
        for (const kind of KINDS) {
          const { querier, counted } = start();
          try {
            const question = questionOf(kind, stored, at, random);
            for (const isCold of [true, false]) {
              lookups.push({ kind, isCold, ...(await ask(querier, counted, question, stored, { clock, signal })) });
            }
          } finally {
            await querier.stop();
          }
        }
      }
      return lookups;
    },
    warmTimes: async (count) => {
      const { querier, counted } = start();
      try {
        const timed = async (id: Uint8Array): Promise<number> => {
          const startMs = clock.monotonicMs();
          await querier.findTrace(TENANT, id, { maxBytes: MAX_TRACE_BYTES, signal });
          return clock.monotonicMs() - startMs;
        };
        for (const { traceId } of stored.known) await timed(traceId);
        counted.take();
        const knownMs: number[] = [];
        const absentMs: number[] = [];
        for (let i = 0; i < count; i++) {
          knownMs.push(await timed((stored.known[i % stored.known.length] as ManyBlocks['known'][number]).traceId));
          absentMs.push(await timed(random.bytes(16)));
        }
        const { blocks, segments: segmentReads } = counted.take();
        const reads = [...blocks.values()].reduce((sum, block) => sum + block.reads, segmentReads);
        return { knownMs, absentMs, readsPerLookup: reads / (2 * count) };
      } finally {
        await querier.stop();
      }
    },
  };
}

interface Asked {
  kind: Kind;
  traceId: Uint8Array;
  orderId: string;
  /** Undefined: nobody has it. */
  holder: string | undefined;
}

function questionOf(kind: Kind, { known }: ManyBlocks, at: number, random: Random): Asked {
  const { traceId, orderId, block } = known[at] as ManyBlocks['known'][number];
  if (kind === 'by id' || kind === 'needle') return { kind, traceId, orderId, holder: block };
  return { kind, traceId: random.bytes(16), orderId: `nobody-${random.u32()}`, holder: undefined };
}

async function ask(
  querier: Querier,
  counted: CountedStore,
  { kind, traceId, orderId, holder }: Asked,
  { startUnixNano, endUnixNano }: ManyBlocks,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Omit<Lookup, 'kind' | 'isCold'>> {
  const startMs = clock.monotonicMs();
  const before = process.cpuUsage();
  let found: number;
  if (kind === 'by id' || kind === 'absent id') {
    const answer = await querier.findTrace(TENANT, traceId, { maxBytes: MAX_TRACE_BYTES, signal });
    found = answer.trace.length > 0 ? 1 : 0;
    if (!answer.complete)
      throw new VivaceError('internal', 'bench', `a lookup is not complete: ${answer.problems.join(', ')}`);
  } else {
    const request: SearchRequest = {
      query: parse(`{ span.order.id = "${orderId}" }`),
      startUnixNano,
      endUnixNano,
      limit: 20,
      spansPerSpanset: 3,
      after: undefined,
    };
    found = 0;
    for await (const { result, problems } of querier.search(TENANT, request, { startUnixNano, endUnixNano }, signal)) {
      if (problems.length > 0)
        throw new VivaceError('internal', 'bench', `a search is not complete: ${problems.join(', ')}`);
      found = result.traces.length;
    }
  }
  const ms = clock.monotonicMs() - startMs;
  const { user, system } = process.cpuUsage(before);
  return {
    ...summed(counted.take(), holder),
    ms,
    cpuMs: (user + system) / 1000,
    isRight: found === (holder === undefined ? 0 : 1),
  };
}

function summed({ root, pages, segments, blocks }: ReadCounts, holder: string | undefined) {
  const others = [...blocks].filter(([id]) => id !== holder).map(([, counts]) => counts);
  // Of one that is opened its index is read, and its columns.
  const shut = others.filter(({ reads }) => reads === 1);
  return {
    root,
    pages,
    holder: (holder !== undefined && blocks.get(holder)?.reads) || 0,
    finding: segments + others.reduce((sum, { reads }) => sum + reads, 0),
    longestBytes: shut.reduce((most, { longest }) => Math.max(most, longest), 0),
    inVain: others.length - shut.length,
  };
}

async function index(options: {
  manifest: Manifest;
  store: ObjectStore;
  builder: SegmentBuilder;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  await indexTenant(options);
}

function fail(error: VivaceError): never {
  throw error;
}
