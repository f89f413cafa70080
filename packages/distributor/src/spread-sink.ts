import { type Health, type Member, Rendezvous } from '@vivace/cluster';
import type { GrpcChannel } from '@vivace/http';
import { type Clock, isKind, VivaceError } from '@vivace/kernel';
import type { PushResult, TraceSink } from '@vivace/otlp';
import type { ChannelPool, PushClient, PushOutcome } from '@vivace/rpc';
import { RequestSlicer } from './request-slicer.ts';
import type { Slice } from './slice.ts';
import { SliceBatcher } from './slice-batcher.ts';
import type { SpreadMetrics } from './spread-metrics.ts';

export interface SpreadSinkOptions {
  /** The ingesters as they are known now. */
  members: () => readonly Member[];
  health: Health;
  channels: ChannelPool<GrpcChannel>;
  client: (channel: GrpcChannel) => PushClient;
  clock: Clock;
  metrics: SpreadMetrics;
  /** For one call to one ingester. */
  timeoutMs: number;
}

/** Ingesters that a slice is offered to before the request is refused. */
const MAX_ATTEMPTS = 3;
/** The same when they do not answer in time: what is slow is the bucket, and the sender has given up by then. */
const MAX_LATE_ATTEMPTS = 2;
/** A sender gives up after 10 s by default: after this no other ingester has the time to answer. */
const MOVES_FOR_MS = 6000;
/** For clients, when no ingester takes it. */
const RETRY_MS = 1000;

/**
 * Spreads requests over ingesters by trace id. A request is acknowledged when every slice of it is; a slice that an
 * ingester cannot take goes to those that come next for its traces. A slice of which the answer was lost may be stored
 * twice, as any resend may: the same spans count once (docs/storage-protocol.md).
 */
export function createSpreadSink(options: SpreadSinkOptions): TraceSink {
  const { health, clock, metrics, timeoutMs } = options;
  const slicer = new RequestSlicer();
  const batchers = new Map<string, SliceBatcher>();
  const rings = new RingCache();
  let known: readonly Member[] = [];

  /** Closes what belongs to ingesters that are gone. */
  const membersNow = (): readonly Member[] => {
    const members = options.members();
    if (members === known) return members;
    known = members;
    const addresses = members.map(({ address }) => address);
    health.keepOnly(addresses);
    options.channels.keepOnly(addresses);
    for (const address of batchers.keys()) if (!addresses.includes(address)) batchers.delete(address);
    return members;
  };

  /** Those that answer, or if none does all of them. */
  const ringWithout = (excluded: readonly string[]): Rendezvous => {
    const allowed = membersNow()
      .map(({ address }) => address)
      .filter((address) => !excluded.includes(address));
    const usable = allowed.filter((address) => health.isUsable(address));
    return rings.of(usable.length > 0 ? usable : allowed);
  };

  const batcherOf = (address: string): SliceBatcher => {
    let batcher = batchers.get(address);
    if (batcher === undefined) {
      const member = known.find((candidate) => candidate.address === address) as Member;
      batcher = new SliceBatcher({
        client: options.client(options.channels.get(member)),
        clock,
        timeoutMs,
        onCall: (failure, bytes) => {
          if (failure === undefined) health.succeeded(address);
          // A call that is too large says nothing of who was called.
          else if (failure.kind !== 'limited') health.failed(address, failure.retryAfterMs);
          metrics.calls.inc({ result: failure?.code ?? 'ok' });
          metrics.bytes.inc({ result: failure?.code ?? 'ok' }, bytes);
        },
      });
      batchers.set(address, batcher);
    }
    return batcher;
  };

  const sendSlice = async (
    slice: Slice,
    excluded: readonly string[],
    untilMs: number,
    signal: AbortSignal,
  ): Promise<PushOutcome> => {
    const outcome = await batcherOf(slice.member).push(slice, signal);
    if (!(outcome instanceof VivaceError) || !movesOn(outcome) || signal.aborted) return outcome;
    // It answers, and takes nothing: the next slices need not ask.
    if (isKind(outcome, 'unavailable')) health.failed(slice.member, outcome.retryAfterMs ?? RETRY_MS);
    const tried = [...excluded, slice.member];
    if (
      tried.length >= (isKind(outcome, 'deadline') ? MAX_LATE_ATTEMPTS : MAX_ATTEMPTS) ||
      ringWithout(tried).members.length === 0 ||
      clock.monotonicMs() > untilMs
    )
      return outcome;
    metrics.movedSlices.inc();
    const bytes = new Uint8Array(slice.length);
    slice.copyTo(bytes, 0);
    return spread(slice.tenant, bytes, tried, untilMs, signal);
  };

  const spread = async (
    tenant: string,
    bytes: Uint8Array,
    excluded: readonly string[],
    untilMs: number,
    signal: AbortSignal,
  ): Promise<PushOutcome> => {
    const ring = ringWithout(excluded);
    if (ring.members.length === 0) return noIngester();
    const slices = slicer.slice(tenant, bytes, ring);
    // All of them are waited for: their bytes are the request's.
    const outcomes = await Promise.all(slices.map((slice) => sendSlice(slice, excluded, untilMs, signal)));
    return combine(slices, outcomes);
  };

  return {
    push: async (tenant, request, signal): Promise<PushResult> => {
      const outcome = await spread(tenant, request.bytes, [], clock.monotonicMs() + MOVES_FOR_MS, signal);
      if (outcome instanceof VivaceError) throw outcome;
      return outcome;
    },
  };
}

/** The ring of the same members again and again. */
class RingCache {
  readonly #rings = new Map<string, Rendezvous>();

  of(members: readonly string[]): Rendezvous {
    const key = members.join();
    let ring = this.#rings.get(key);
    if (ring === undefined) {
      ring = new Rendezvous(members);
      if (this.#rings.size >= MAX_RINGS) this.#rings.clear();
      this.#rings.set(key, ring);
    }
    return ring;
  }
}

const MAX_RINGS = 64;

/** Whether another ingester may take what this one has not taken. */
function movesOn(failure: VivaceError): boolean {
  return isKind(failure, 'unavailable', 'deadline', 'canceled', 'conflict', 'internal');
}

/**
 * What to tell of a request: that it failed if any slice may be taken later; else slices that can never be taken are
 * spans that were rejected, unless there is nothing else.
 */
function combine(slices: readonly { spans: number }[], outcomes: readonly PushOutcome[]): PushOutcome {
  const result: PushResult = { acceptedSpans: 0, rejectedSpans: 0 };
  let refused: VivaceError | undefined;
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome instanceof VivaceError) {
      if (!isKind(outcome, 'invalid', 'data')) return outcome;
      refused ??= outcome;
      result.rejectedSpans += slices[i]?.spans ?? 0;
      continue;
    }
    result.acceptedSpans += outcome.acceptedSpans;
    result.rejectedSpans += outcome.rejectedSpans;
    if (outcome.firstReason !== undefined) result.firstReason ??= outcome.firstReason;
  }
  if (refused === undefined) return result;
  if (result.acceptedSpans === 0) return refused;
  result.firstReason ??= refused.message;
  return result;
}

function noIngester(): VivaceError {
  return new VivaceError(
    'unavailable',
    'no-ingester',
    'no ingester is known: start one, or check ingester_client.addresses',
    { retryAfterMs: RETRY_MS },
  );
}
