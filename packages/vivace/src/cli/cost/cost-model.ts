import type { Prices } from './prices.ts';

/** Requests, by what a bill tells apart. */
interface Requests {
  put: number;
  list: number;
  get: number;
}

/** Counts of requests that `npm run bench -- requests --write` has measured. */
export interface MeasuredRequests {
  command: string;
  date: string;
  perCut: Requests;
  idleHour: { data: Requests; log: Requests };
  log: { perPut: Requests };
  perMergedBlock: Requests;
  mergedBlocks: number;
  /** Over which the queries were asked. */
  blocks: number;
  queries: Record<string, { first: Requests; again: Requests }>;
}

/** What is to be paid for. */
export interface Workload {
  spansPerSecond: number;
  /** As stored, everything included. */
  bytesPerSpan: number;
  tenants: number;
  ingesters: number;
  queriesPerDay: number;
  /** Blocks that a query looks at. */
  blocksPerQuery: number;
  /** 0 to 1: how many queries ask what a cache still has. */
  cachedShare: number;
  retentionDays: number;
  cutIntervalSeconds: number;
  log: 'bucket' | 'disk';
  /** Spans of one request of a sender, and what a small put takes. */
  spansPerRequest: number;
  putLatencyMs: number;
}

/** A line of the bill. */
export interface CostItem {
  name: string;
  /** Of a month. */
  requests: Requests;
  gib: number;
  dollars: number;
}

const HOURS = 730;
const SECONDS = HOURS * 3600;
const DAYS = HOURS / 24;
const GIB = 2 ** 30;
/** Spans of a generation of 64 MiB, after which a block is cut before its time. */
const GENERATION_SPANS = 250_000;
/** Bytes of a span as it is sent, and of a segment of the log before compression. */
const WIRE_BYTES = 440;
const SEGMENT_BYTES = 8 * 1024 * 1024;
const NOTHING: Requests = { put: 0, list: 0, get: 0 };

/** The bill of a month, in the order in which it is shown. */
export function monthlyCost(work: Workload, measured: MeasuredRequests, prices: Prices): CostItem[] {
  const item = (name: string, requests: Requests, gib = 0): CostItem => ({
    name,
    requests,
    gib,
    dollars: dollarsOf(requests, prices) + gib * prices.gibMonth,
  });
  const cuts = cutsOf(work);
  const merged = cuts + work.tenants * HOURS;
  const gib = (work.spansPerSecond * work.bytesPerSpan * work.retentionDays * 86_400) / GIB;
  const perIngester = work.ingesters * HOURS;
  return [
    item('storage', NOTHING, gib),
    item('log', work.log === 'disk' ? NOTHING : times(measured.log.perPut, logPuts(work) * SECONDS)),
    item('cuts', times(measured.perCut, cuts)),
    item('compaction', times(measured.perMergedBlock, merged)),
    item('queries', times(perQuery(work, measured), work.queriesPerDay * DAYS)),
    item(
      'leases and looking around',
      add(
        times(measured.idleHour.data, perIngester),
        work.log === 'disk' ? NOTHING : times(measured.idleHour.log, perIngester),
      ),
    ),
  ];
}

/** Blocks cut in a month: each tenant's spans of each ingester, at the interval or when a generation is full. */
function cutsOf({ spansPerSecond, tenants, ingesters, cutIntervalSeconds }: Workload): number {
  if (spansPerSecond === 0) return 0;
  const fullSeconds = GENERATION_SPANS / (spansPerSecond / tenants / ingesters);
  return (tenants * ingesters * SECONDS) / Math.min(cutIntervalSeconds, fullSeconds);
}

/**
 * Segments of the log put a second, by all ingesters. What finds nothing on its way goes at once, and what comes
 * meanwhile goes together: one for each request, or for each put that a second has room for, and enough for the bytes.
 */
function logPuts({ spansPerSecond, ingesters, spansPerRequest, putLatencyMs }: Workload): number {
  const spans = spansPerSecond / ingesters;
  const forBytes = (spans * WIRE_BYTES) / SEGMENT_BYTES;
  return ingesters * Math.max(forBytes, Math.min(spans / spansPerRequest, 1000 / putLatencyMs));
}

/** Of an average query: all kinds alike, as many blocks as the workload has. */
function perQuery({ cachedShare, blocksPerQuery }: Workload, { queries, blocks }: MeasuredRequests): Requests {
  const kinds = Object.values(queries);
  let sum = NOTHING;
  for (const { first, again } of kinds) {
    sum = add(sum, add(times(first, 1 - cachedShare), times(again, cachedShare)));
  }
  const perKind = times(sum, 1 / Math.max(1, kinds.length));
  // A root is read once, however many blocks it names.
  return { ...perKind, get: (perKind.get * blocksPerQuery) / Math.max(1, blocks) };
}

export function totalDollars(items: readonly CostItem[]): number {
  return items.reduce((sum, { dollars }) => sum + dollars, 0);
}

function dollarsOf({ put, list, get }: Requests, prices: Prices): number {
  return (put * prices.putPer1000 + list * prices.listPer1000 + get * prices.getPer1000) / 1000;
}

function times({ put, list, get }: Requests, factor: number): Requests {
  return { put: put * factor, list: list * factor, get: get * factor };
}

function add(a: Requests, b: Requests): Requests {
  return { put: a.put + b.put, list: a.list + b.list, get: a.get + b.get };
}
