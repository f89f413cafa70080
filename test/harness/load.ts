import { bytesToHex, fraction, type Random } from '@vivace/kernel';
import type { TestServer } from './server.ts';
import { encodeSpanLoad, fetchSpanIds, postSpans, type TraceSpans } from './span-load.ts';

/** A trace and what became of its spans. */
export interface LoadedTrace {
  tenant: string;
  traceId: string;
  sent: Set<string>;
  acknowledged: Set<string>;
}

/** Clients that send spans, each request again until it is taken, as exporters do. */
export interface Load {
  readonly traces: LoadedTrace[];
  /** Where to send; a new one after a restart. */
  server: TestServer;
  /** Requests taken, and refused with a time to retry. */
  taken: number;
  refused: number;
  /** Pause between two requests of a client, at most. */
  pauseMs: number;
  /** Ends the clients; rejects with what went wrong with one of them. */
  end(): Promise<void>;
}

export interface LoadOptions {
  server: TestServer;
  random: Random;
  tenants: readonly string[];
  clients: number;
  pauseMs?: number;
}

/** Begins to send small and large requests; the seed decides what is in them. */
export function startLoad({ server, random, tenants, clients, pauseMs = 15 }: LoadOptions): Load {
  let ended = false;
  const load: Load = {
    traces: [],
    server,
    taken: 0,
    refused: 0,
    pauseMs,
    end: async () => {
      ended = true;
      await running;
    },
  };

  const runClient = async (tenant: string): Promise<void> => {
    let trace = newTrace(load, tenant, random);
    while (!ended) {
      const large = random.u32() % 25 === 0;
      const touched = large ? Array.from({ length: 15 }, () => newTrace(load, tenant, random)) : [trace];
      const spans = touched.map((of): [LoadedTrace, string[]] => [of, newSpans(of, 1 + (random.u32() % 40), random)]);
      if (random.u32() % 12 === 0) trace = newTrace(load, tenant, random);
      const request: TraceSpans[] = spans.map(([{ traceId }, spanIds]) => ({ traceId, spanIds }));
      const body = encodeSpanLoad(request, large ? 1000 : random.u32() % 200);
      for (;;) {
        const answer = await postSpans(load.server, tenant, body);
        if (answer === 'taken') break;
        if (answer === 'again') load.refused++;
        if (ended) return;
        await pause(30);
      }
      load.taken++;
      for (const [{ acknowledged }, spanIds] of spans) for (const id of spanIds) acknowledged.add(id);
      await pause(fraction(random) * load.pauseMs);
    }
  };
  const running = Promise.all(
    Array.from({ length: clients }, (_, i) => runClient(tenants[i % tenants.length] as string)),
  ).then(() => undefined);
  // Who ends the load is told.
  running.catch(() => undefined);
  return load;
}

function newTrace(load: Load, tenant: string, random: Random): LoadedTrace {
  const traceId = bytesToHex(random.bytes(16));
  const trace = { tenant, traceId, sent: new Set<string>(), acknowledged: new Set<string>() };
  load.traces.push(trace);
  return trace;
}

function newSpans({ sent }: LoadedTrace, count: number, random: Random): string[] {
  const ids = Array.from({ length: count }, () => bytesToHex(random.bytes(8)));
  for (const id of ids) sent.add(id);
  return ids;
}

export function acknowledgedSpans({ traces }: Load): number {
  return traces.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
}

/**
 * Throws unless the answers for these traces are right: all that was acknowledged before, nothing twice, nothing
 * else; or, where that is allowed for now, that the answer cannot be whole. Returns how many were whole.
 */
export async function checkTraces(
  server: TestServer,
  traces: readonly LoadedTrace[],
  { mayBePartial = false } = {},
): Promise<number> {
  let whole = 0;
  const rest = traces.values();
  const checkRest = async () => {
    for (const trace of rest) {
      const expected = [...trace.acknowledged];
      let found = await fetchSpanIds(server, trace.tenant, trace.traceId);
      for (let tries = 0; found === undefined && !mayBePartial && tries < 200; tries++) {
        await pause(50);
        found = await fetchSpanIds(server, trace.tenant, trace.traceId);
      }
      if (found !== undefined) {
        checkTrace(trace, expected, found);
        whole++;
      } else if (!mayBePartial) throw new Error(`trace ${trace.traceId} of ${trace.tenant} is not whole after 10 s`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, checkRest));
  return whole;
}

function checkTrace(
  { tenant, traceId, sent }: LoadedTrace,
  expected: readonly string[],
  found: readonly string[],
): void {
  const ids = new Set(found);
  const trace = `trace ${traceId} of ${tenant}`;
  const lost = expected.filter((id) => !ids.has(id));
  if (lost.length > 0) {
    throw new Error(`${trace} lost ${lost.length} of ${expected.length} acknowledged spans: ${lost[0]}`);
  }
  if (ids.size < found.length) throw new Error(`${trace} has spans twice: ${found.length} of ${ids.size}`);
  const foreign = found.find((id) => !sent.has(id));
  if (foreign !== undefined) throw new Error(`${trace} has a span that was not sent: ${foreign}`);
}

/** Some of the traces, as the seed picks them. */
export function someOf(traces: readonly LoadedTrace[], count: number, random: Random): LoadedTrace[] {
  return Array.from({ length: count }, () => traces[random.u32() % traces.length] as LoadedTrace);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
