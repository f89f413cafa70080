import { bytesToHex, type Clock, type Random } from '@vivace/kernel';
import { ATTRIBUTE_TAG, attribute, message, text } from './attributes.ts';
import { call, keepAlive } from './http.ts';
import { countSpans } from './judge.ts';
import { type Latency, latency } from './statistics.ts';
import { tenantName } from './truth.ts';

export interface FreshnessOptions {
  api: URL;
  otlp: URL;
  tenants: boolean;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
  /** How the trace is asked for: by its id, or by TraceQL for an attribute that no other trace has. */
  by: 'id' | 'query';
}

export interface Freshness {
  /** From the ack's last byte to the last byte of the first answer with all spans. */
  latency: Latency;
  probes: number;
  /** Probes not acknowledged (back-pressure); they say nothing about freshness. */
  refused: number;
  /** Acknowledged, and not found within 10 s. */
  lost: number;
}

const SPANS = 3;
const GIVE_UP_MS = 10_000;
const BETWEEN_PROBES_MS = 200;
const MAX_POLL_MS = 16;

/**
 * Sends small traces and asks for each right after its ack, until `enough` says so or the signal ends it.
 * The time between polls grows from 1 to 16 ms, so a figure may be that much too high and never too low.
 */
export async function probeFreshness(
  options: FreshnessOptions,
  enough: (probes: number) => boolean,
): Promise<Freshness> {
  const agent = keepAlive(1);
  const timesMs: number[] = [];
  const result: Freshness = { latency: latency([]), probes: 0, refused: 0, lost: 0 };
  try {
    while (!enough(result.probes)) {
      result.probes++;
      const ms = await probe(options, agent);
      if (ms === 'refused') result.refused++;
      else if (ms === 'lost') result.lost++;
      else timesMs.push(ms);
      if (!enough(result.probes)) await options.clock.sleep(BETWEEN_PROBES_MS, options.signal);
    }
  } finally {
    agent.destroy();
  }
  result.latency = latency(timesMs);
  return result;
}

async function probe(
  { api, otlp, tenants, clock, random, signal, by }: FreshnessOptions,
  agent: ReturnType<typeof keepAlive>,
): Promise<number | 'refused' | 'lost'> {
  const traceId = random.bytes(16);
  const tenant: Record<string, string> = tenants ? { 'x-scope-orgid': tenantName(0) } : {};
  const sent = await call(otlp, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...tenant },
    body: probeRequest(traceId, clock, random),
    agent,
    signal,
  });
  if (sent.status !== 200) return 'refused';
  const ackedMs = clock.monotonicMs();
  const id = bytesToHex(traceId);
  const byId = by === 'id';
  const url = new URL(byId ? `/api/traces/${id}` : searchPath(id, clock), api);
  const accept = byId ? 'application/protobuf' : 'application/json';
  for (let waitMs = 1; ; waitMs = Math.min(MAX_POLL_MS, waitMs * 2)) {
    const answer = await call(url, { headers: { accept, ...tenant }, agent, signal });
    const afterMs = clock.monotonicMs() - ackedMs;
    if (answer.status === 200 && (byId ? countSpans(answer.body) : matchedSpans(answer.body, id)) === SPANS) {
      return afterMs;
    }
    if (afterMs > GIVE_UP_MS) return 'lost';
    await clock.sleep(waitMs, signal);
  }
}

/** The last quarter of an hour, as Grafana asks; a minute more, because bounds are whole seconds. */
function searchPath(id: string, clock: Clock): string {
  const nowS = Math.floor(clock.nowMs() / 1000);
  const parameters = { q: `{ span.probe.id = "${id}" }`, start: String(nowS - 900), end: String(nowS + 60) };
  return `/api/search?${new URLSearchParams(parameters).toString()}`;
}

/** Spans of a trace that a search says it has found. */
function matchedSpans(body: Uint8Array, id: string): number {
  const answer = JSON.parse(Buffer.from(body).toString('utf8')) as {
    traces?: { traceID: string; spanSets?: { matched?: number }[] }[];
  };
  const trace = answer.traces?.find(({ traceID }) => traceID.padStart(32, '0') === id);
  return trace?.spanSets?.[0]?.matched ?? 0;
}

function probeRequest(traceId: Uint8Array, clock: Clock, random: Random): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(Math.floor(clock.nowMs())) * 1_000_000n, true);
  const spans = Array.from({ length: SPANS }, () =>
    message(
      0x12,
      message(0x0a, traceId),
      message(0x12, random.bytes(8)),
      text(0x2a, 'probe'),
      Uint8Array.of(0x39, ...time),
      Uint8Array.of(0x41, ...time),
      attribute(ATTRIBUTE_TAG.span, 'probe.id', bytesToHex(traceId)),
    ),
  );
  const resource = message(0x0a, attribute(ATTRIBUTE_TAG.resource, 'service.name', 'bench-probe'));
  return message(0x0a, resource, message(0x12, ...spans));
}
