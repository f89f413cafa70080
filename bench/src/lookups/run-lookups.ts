import type { Clock, Random } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { type Latency, latency, median } from '../statistics.ts';
import { alignColumns, format } from '../table.ts';
import { createLookupRig, KINDS, type Kind, type Lookup } from './lookups.ts';

/** Blocks of a tenant, and the days that they are of. */
const SIZES = [
  [10, 1],
  [100, 2],
  [1000, 7],
  [10_000, 30],
] as const;
const MOST_SAMPLES = 5;
const WARM_LOOKUPS = 300;

export interface LookupsRun {
  sizes: SizeFigures[];
  complaints: string[];
}

interface SizeFigures {
  blocks: number;
  days: number;
  segments: number;
  segmentBytes: number;
  rows: KindFigures[];
  /** Of different ids, one after another, in a process that has answered for others. */
  warm: { known: Latency; absent: Latency; readsPerLookup: number };
}

/** The most that one question of a kind took; times are medians. */
interface KindFigures {
  kind: Kind;
  isCold: boolean;
  holder: number;
  finding: number;
  /** Bytes of the longest read of a block that does not have what was asked for. */
  longestBytes: number;
  /** Blocks without it that were opened all the same. */
  inVain: number;
  rootAndPages: number;
  p50Ms: number;
  cpuMs: number;
}

/** Counts what lookups read of many small blocks in a store in memory: times are without a store's. */
export async function runLookups(
  samples: number,
  { clock, random, signal }: { clock: Clock; random: Random; signal: AbortSignal },
  onSize: (blocks: number) => void,
): Promise<LookupsRun> {
  const run: LookupsRun = { sizes: [], complaints: [] };
  for (const [blocks, days] of SIZES) {
    onSize(blocks);
    const store = createMemoryStore({ clock });
    const rig = await createLookupRig({ store, clock, random, blocks, days, signal });
    const lookups = await rig.measure(Math.max(1, Math.min(samples, MOST_SAMPLES)));
    const wrong = lookups.filter(({ isRight }) => !isRight).length;
    if (wrong > 0) run.complaints.push(`of ${blocks} blocks: ${wrong} of ${lookups.length} questions answered wrong`);
    const { knownMs, absentMs, readsPerLookup } = await rig.warmTimes(WARM_LOOKUPS);
    run.sizes.push({
      blocks,
      days,
      segments: rig.segments,
      segmentBytes: rig.segmentBytes,
      rows: KINDS.flatMap((kind) => [true, false].map((isCold) => figuresOf(lookups, kind, isCold))),
      warm: { known: latency(knownMs), absent: latency(absentMs), readsPerLookup },
    });
  }
  return run;
}

function figuresOf(lookups: readonly Lookup[], kind: Kind, isCold: boolean): KindFigures {
  const own = lookups.filter((one) => one.kind === kind && one.isCold === isCold);
  const most = (of: (one: Lookup) => number): number => Math.max(...own.map(of));
  return {
    kind,
    isCold,
    holder: most(({ holder }) => holder),
    finding: most(({ finding }) => finding),
    longestBytes: most(({ longestBytes }) => longestBytes),
    inVain: most(({ inVain }) => inVain),
    rootAndPages: most(({ root, pages }) => root + pages),
    p50Ms: median(own.map(({ ms }) => ms)),
    cpuMs: median(own.map(({ cpuMs }) => cpuMs)),
  };
}

export function renderLookups({ sizes }: LookupsRun): string {
  const rows = [
    [
      'blocks',
      'days',
      'asked',
      '',
      'of the holder',
      'to find it',
      'a block',
      'bytes',
      'in vain',
      'root, pages',
      'ms',
      'CPU ms',
    ],
  ];
  for (const { blocks, days, rows: figures } of sizes) {
    for (const one of figures) {
      rows.push([
        format(blocks, 0),
        String(days),
        one.kind,
        one.isCold ? 'cold' : 'warm',
        String(one.holder),
        format(one.finding, 0),
        format(one.finding / blocks, 2),
        format(one.longestBytes, 0),
        String(one.inVain),
        String(one.rootAndPages),
        format(one.p50Ms, 1),
        format(one.cpuMs, 1),
      ]);
    }
  }
  const index = [
    ['blocks', 'segments', 'bytes', 'known id p50 ms', 'p95', 'absent id p50 ms', 'p95', 'reads a lookup'],
  ];
  for (const { blocks, segments, segmentBytes, warm } of sizes) {
    index.push([
      format(blocks, 0),
      String(segments),
      format(segmentBytes, 0),
      format(warm.known.p50Ms, 2),
      format(warm.known.p95Ms, 2),
      format(warm.absent.p50Ms, 2),
      format(warm.absent.p95Ms, 2),
      format(warm.readsPerLookup, 2),
    ]);
  }
  return [
    'reads of one question without a time range, the most of all samples; ms: the median, a cold one with its thread',
    'of the holder: from the block that has it; to find it: of the trace index and of blocks that do not have it;',
    'a block: to find it, of each block in the mean; in vain: blocks opened because their filter said maybe',
    '',
    ...alignColumns(rows, new Set([2, 3])),
    '',
    'the trace index, and lookups one after another in a process that has answered for other ids',
    '',
    ...alignColumns(index, new Set()),
    '',
  ].join('\n');
}
