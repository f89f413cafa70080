import { fraction, type Random } from '@vivace/kernel';
import { pause } from '../harness/load.ts';
import { encodeSpanLoad, type Sent } from '../harness/span-load.ts';
import type { Ledger, SentRequest, SentTrace } from './ledger.ts';

export interface PacedLoadOptions {
  ledger: Ledger;
  random: Random;
  tenants: readonly string[];
  clients: number;
  /** Over all clients. */
  requestsPerSecond: number;
  /** Sends a request once, as the client of this number does; undefined where there is nobody to send to. */
  post: (
    client: number,
    tenant: string,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ) => Promise<Sent> | undefined;
}

export interface PacedLoad {
  /** Requests taken; sent again after they were; refused with a time to retry; of unknown end. */
  readonly counts: { taken: number; resent: number; refused: number; gone: number; longestMs: number };
  /** No new requests; resolves when all that were begun are taken. Rejects with what a client failed with. */
  end(): Promise<void>;
  /** The same, and what is not taken by now is left. */
  giveUp(): Promise<void>;
}

/** Traces get spans for up to so long. */
const LONGEST_TRACE_MS = 4 * 60_000;
/** Requests that were taken are sent once more within this time. */
const RESEND_WITHIN_MS = 60_000;
const MAX_RESENDS = 20;
/** An exporter of OpenTelemetry gives up so long after it began to wait. */
const EXPORT_TIMEOUT_MS = 10_000;
/** Unlike an exporter, a client here never gives up on a request while there is a process. */
const PATIENCE_MS = 300_000;

interface Resend {
  request: SentRequest;
  body: Uint8Array<ArrayBuffer>;
  dueMs: number;
}

/** Clients that send spans at a pace, each request again until it is taken, and some once more after that. */
export function startPacedLoad({
  ledger,
  random,
  tenants,
  clients,
  requestsPerSecond,
  post,
}: PacedLoadOptions): PacedLoad {
  const counts = { taken: 0, resent: 0, refused: 0, gone: 0, longestMs: 0 };
  let ended = false;
  let givenUp = false;

  const newRequest = (tenant: string, long: { trace: SentTrace }): SentRequest => {
    const dice = random.u32() % 20;
    if (dice < 6) return ledger.begin(tenant, [{ trace: long.trace, count: 1 + (random.u32() % 5) }], Date.now());
    const traces = dice < 19 ? 1 + (random.u32() % 2) : 12;
    const parts = Array.from({ length: traces }, () => ({
      trace: ledger.newTrace(tenant),
      count: 1 + (random.u32() % 12),
    }));
    return ledger.begin(tenant, parts, Date.now());
  };

  const send = async (client: number, { tenant }: SentRequest, body: Uint8Array<ArrayBuffer>): Promise<void> => {
    const beginMs = performance.now();
    while (!givenUp) {
      const answer = await post(client, tenant, body, AbortSignal.timeout(EXPORT_TIMEOUT_MS));
      const tookMs = performance.now() - beginMs;
      counts.longestMs = Math.max(counts.longestMs, Math.round(tookMs));
      if (answer === 'taken') return;
      if (answer !== undefined) counts[answer === 'again' ? 'refused' : 'gone']++;
      if (tookMs > PATIENCE_MS) throw new Error(`a request is not taken for ${PATIENCE_MS / 1000} s`);
      await pause(100 + fraction(random) * 400);
    }
  };

  const runClient = async (client: number, tenant: string): Promise<void> => {
    const resends: Resend[] = [];
    let long = { trace: ledger.newTrace(tenant), untilMs: Date.now() + fraction(random) * LONGEST_TRACE_MS };
    const gapMs = (1000 * clients) / requestsPerSecond;
    while (!ended) {
      await pause(gapMs * 2 * fraction(random));
      if (Date.now() > long.untilMs) {
        long = { trace: ledger.newTrace(tenant), untilMs: Date.now() + fraction(random) * LONGEST_TRACE_MS };
      }
      const request = newRequest(tenant, long);
      const traces = request.parts.map(({ trace, first, count }) => ({
        traceId: trace.id,
        ...(trace.marked && { numbers: { keep: 1 } }),
        spanIds: Array.from({ length: count }, (_, i) => ledger.spanId(trace, first + i)),
      }));
      const numbers = { request: request.number };
      const body = encodeSpanLoad(traces, random.u32() % 200, { startMs: request.startMs, numbers });
      await send(client, request, body);
      if (givenUp) return;
      request.acknowledgedMs = Date.now();
      counts.taken++;
      if (random.u32() % 20 === 0 && resends.length < MAX_RESENDS) {
        resends.push({ request, body, dueMs: Date.now() + fraction(random) ** 2 * RESEND_WITHIN_MS });
      }
      const due = resends.findIndex(({ dueMs }) => dueMs < Date.now());
      if (due < 0) continue;
      const [again] = resends.splice(due, 1) as [Resend];
      await send(client, again.request, again.body);
      counts.resent++;
    }
  };

  const running = Promise.all(
    Array.from({ length: clients }, (_, i) => runClient(i, tenants[i % tenants.length] as string)),
  ).then(() => undefined);
  // Who ends the load is told.
  running.catch(() => undefined);
  return {
    counts,
    end: () => {
      ended = true;
      return running;
    },
    giveUp: () => {
      ended = true;
      givenUp = true;
      return running;
    },
  };
}
