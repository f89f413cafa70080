import { bytesToHex, type Random } from '@vivace/kernel';
import { type Answer, bodyText, call, keepAlive } from './http.ts';
import { countSpans, firstDifference, judge, readTraceByIdResponse, type Verdict } from './judge.ts';
import { objectReads } from './reads.ts';
import { type Latency, latency, percentile } from './statistics.ts';
import { type SampledTrace, type Truth, tenantName, traceIdAt } from './truth.ts';

export interface LookupOptions {
  api: URL;
  /** Send the tenant's header. */
  tenants: boolean;
  signal: AbortSignal;
  onProgress?: (lookups: number) => void;
  /** The canonical text of a span as it was sent; slow, and only asked for the first that is answered differently. */
  sentText?: (traceId: string, spanId: string) => Promise<string | undefined>;
}

/** One pass of lookups, one after another on one connection. */
export interface Lookups {
  asked: number;
  /** Answered with every span once and no other. */
  whole: number;
  /** And every field of every span as it was sent. */
  equal: number;
  latency: Latency;
  /** Object-store reads a lookup caused; undefined where the server does not count them. */
  reads: { mean: number; p95: number; max: number } | undefined;
  /** The first few things that were wrong. */
  complaints: string[];
}

const MAX_COMPLAINTS = 5;
const PROTOBUF = 'application/protobuf';

type Version = 'v1' | 'v2';

/** Looks up every trace of a sample and compares the answers field by field with what was sent. */
export function lookUpTraces(
  sample: readonly SampledTrace[],
  version: Version,
  options: LookupOptions,
): Promise<Lookups> {
  return lookUp(sample, options, version, (trace, answer) => {
    if (answer.status !== 200) return { whole: false, equal: false, complaint: statusComplaint(answer) };
    if (version === 'v1') return judge(trace, answer.body);
    const { trace: bytes, partial } = readTraceByIdResponse(answer.body);
    return partial ? { whole: false, equal: false, complaint: 'answered PARTIAL' } : judge(trace, bytes);
  });
}

/** Looks up ids that nobody sent; `whole` counts those rightly answered 404. */
export function lookUpAbsent(count: number, random: Random, options: LookupOptions): Promise<Lookups> {
  const absent = Array.from(
    { length: count },
    (): SampledTrace => ({ traceId: bytesToHex(random.bytes(16)), tenant: 0, late: false, spans: new Map() }),
  );
  return lookUp(absent, options, 'v1', (_, answer) => {
    const right = answer.status === 404;
    return { whole: right, equal: right, complaint: right ? undefined : statusComplaint(answer) };
  });
}

async function lookUp(
  traces: readonly SampledTrace[],
  options: LookupOptions,
  version: Version,
  judgeAnswer: (trace: SampledTrace, answer: Answer) => Verdict,
): Promise<Lookups> {
  const { api, signal } = options;
  const agent = keepAlive(1);
  const timesMs: number[] = [];
  const reads: number[] = [];
  let explained = false;
  const result: Lookups = { asked: 0, whole: 0, equal: 0, latency: latency([]), reads: undefined, complaints: [] };
  try {
    let before = await objectReads(api, signal);
    for (const trace of traces) {
      const answer = await get(options, version, trace.traceId, trace.tenant, agent);
      timesMs.push(answer.ms);
      const after = await objectReads(api, signal);
      if (before !== undefined && after !== undefined) reads.push(after - before);
      before = after;
      const { whole, equal, complaint, different } = judgeAnswer(trace, answer);
      result.asked++;
      if (whole) result.whole++;
      if (equal) result.equal++;
      if (complaint !== undefined) complain(result.complaints, trace.traceId, complaint);
      if (different !== undefined && !explained) {
        explained = true;
        const sent = await options.sentText?.(trace.traceId, different.spanId);
        if (sent !== undefined) result.complaints.push(firstDifference(sent, different.text));
      }
      options.onProgress?.(1);
    }
  } finally {
    agent.destroy();
  }
  result.latency = latency(timesMs);
  if (reads.length > 0) {
    const mean = reads.reduce((sum, value) => sum + value, 0) / reads.length;
    result.reads = { mean, p95: percentile(reads, 0.95), max: percentile(reads, 1) };
  }
  return result;
}

/** Counts the spans of `count` traces spread over the dataset, four at a time. */
export async function countTraces(
  truth: Truth,
  count: number,
  options: LookupOptions,
): Promise<{ asked: number; whole: number; complaints: string[] }> {
  const agent = keepAlive(4);
  const result = { asked: 0, whole: 0, complaints: [] as string[] };
  const step = Math.max(1, Math.floor(truth.traces / Math.max(1, count)));
  let next = 0;
  const reader = async () => {
    while (next < truth.traces && result.asked < count) {
      const at = next;
      next += step;
      result.asked++;
      const traceId = traceIdAt(truth, at);
      const wanted = truth.counts[at] as number;
      if (traceId === truth.giant?.traceId) {
        result.whole++;
        continue;
      }
      const answer = await get(options, 'v1', traceId, truth.tenants[at] as number, agent);
      const found = answer.status === 200 ? countSpans(answer.body) : 0;
      if (found === wanted) result.whole++;
      else complain(result.complaints, traceId, `${found} of ${wanted} spans (status ${answer.status})`);
      options.onProgress?.(1);
    }
  };
  try {
    await Promise.all(Array.from({ length: 4 }, reader));
  } finally {
    agent.destroy();
  }
  return result;
}

/** A trace beyond what one answer may hold: v1 has all of it or says 422, v2 has all of it or says PARTIAL. */
export async function lookUpGiant(
  giant: { traceId: string; spans: number },
  options: LookupOptions,
): Promise<{ right: boolean; complaint: string | undefined; v1: string; v2: string; v1Ms: number; v2Ms: number }> {
  const agent = keepAlive(1);
  try {
    const first = await get(options, 'v1', giant.traceId, 0, agent);
    const second = await get(options, 'v2', giant.traceId, 0, agent);
    const v1Spans = first.status === 200 ? countSpans(first.body) : 0;
    const { trace, partial } = readTraceByIdResponse(second.status === 200 ? second.body : new Uint8Array(0));
    const v2Spans = countSpans(trace);
    const v1Right = first.status === 422 || v1Spans === giant.spans;
    const v2Right = partial ? v2Spans > 0 && v2Spans < giant.spans : v2Spans === giant.spans;
    const v1 = first.status === 200 ? `${v1Spans} spans` : statusComplaint(first);
    const v2 = second.status === 200 ? `${v2Spans} spans${partial ? ', PARTIAL' : ''}` : statusComplaint(second);
    const complaint = v1Right && v2Right ? undefined : `of ${giant.spans} spans: v1 ${v1}; v2 ${v2}`;
    return { right: v1Right && v2Right, complaint, v1, v2, v1Ms: first.ms, v2Ms: second.ms };
  } finally {
    agent.destroy();
  }
}

function get(
  { api, tenants, signal }: LookupOptions,
  version: Version,
  traceId: string,
  tenant: number,
  agent: ReturnType<typeof keepAlive>,
): Promise<Answer> {
  const path = version === 'v1' ? `/api/traces/${traceId}` : `/api/v2/traces/${traceId}`;
  const headers: Record<string, string> = { accept: PROTOBUF };
  if (tenants) headers['x-scope-orgid'] = tenantName(tenant);
  return call(new URL(path, api), { headers, agent, signal });
}

function statusComplaint(answer: Answer): string {
  return `${answer.status} ${bodyText(answer)}`.trim();
}

function complain(complaints: string[], traceId: string, complaint: string): void {
  if (complaints.length < MAX_COMPLAINTS) complaints.push(`trace ${traceId}: ${complaint}`);
}
