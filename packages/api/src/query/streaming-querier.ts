import type { QueryStats, TraceMatch } from '@vivace/block-query';
import type { GrpcCall, GrpcMethod } from '@vivace/http';
import { limitTime, orAborted, VivaceError } from '@vivace/kernel';
import type { MetricsPart } from '../query-engine.ts';
import { metricsRequest } from './metrics-request.ts';
import { metricsMessages } from './metrics-stream.ts';
import { NOTHING_READ } from './nothing-read.ts';
import { CURSOR_HEADER, headerValue, PARTIAL_HEADER, partialReason } from './partial.ts';
import { runQuery } from './route-options.ts';
import { searchMetrics } from './search-answer.ts';
import { searchRequest } from './search-request.ts';
import { SearchPackets } from './search-stream.ts';
import type { StreamCall, StreamingOptions } from './stream-call.ts';
import { decodeRequest, givenMetrics, givenSearch } from './stream-requests.ts';
import { streamTags, streamTagValues } from './tag-stream.ts';

export const STREAMING_SERVICE = 'tempopb.StreamingQuerier';

/** Parts of an answer that come sooner than this after a message wait for the next one. */
const MESSAGE_INTERVAL_MS = 200;

/**
 * `tempopb.StreamingQuerier`: answers of the query API as they become known. Every method streams at least one
 * message, and every message tells the progress.
 */
export function streamingMethods(options: StreamingOptions): Map<string, GrpcMethod> {
  const methods: Record<string, (call: StreamCall) => Promise<void>> = {
    Search: streamSearch,
    SearchTags: (call) => streamTags(call, 1),
    SearchTagsV2: (call) => streamTags(call, 2),
    SearchTagValues: (call) => streamTagValues(call, 1),
    SearchTagValuesV2: (call) => streamTagValues(call, 2),
    MetricsQueryRange: (call) => streamMetrics(call, false),
    MetricsQueryInstant: (call) => streamMetrics(call, true),
  };
  return new Map(
    Object.entries(methods).map(([name, method]) => [
      `/${STREAMING_SERVICE}/${name}`,
      (call: GrpcCall) => serve(call, method, options),
    ]),
  );
}

async function serve(
  { message, headers, signal: callSignal, send, trailers }: GrpcCall,
  method: (call: StreamCall) => Promise<void>,
  options: StreamingOptions,
): Promise<void> {
  const { clock } = options;
  const request = decodeRequest(message);
  const late = () =>
    new VivaceError('deadline', 'query-timeout', `the query took longer than ${options.timeoutMs / 1000} s`);
  const { signal, end } = limitTime(clock, options.timeoutMs, late, callSignal);
  const partialIsEnough = headers['x-vivace-partial'] === 'true';
  const finish: StreamCall['finish'] = (problems, leftOut) => {
    const reasons = [partialReason(problems, partialIsEnough), leftOut].filter((reason) => reason !== undefined);
    if (reasons.length > 0) trailers.set(PARTIAL_HEADER.toLowerCase(), headerValue(reasons.join('; ')));
  };
  const tenant = headers['x-scope-orgid'];
  try {
    const work = runQuery(options, typeof tenant === 'string' ? tenant : undefined, (engine) =>
      method({ request, engine, nowMs: clock.nowMs(), clock, signal, send, headers, finish, trailers, options }),
    );
    await orAborted(work, signal);
  } finally {
    end();
  }
}

async function streamSearch({ request, engine, nowMs, clock, signal, send, headers, finish, trailers }: StreamCall) {
  const cursor = headers['x-vivace-cursor'];
  const { spansets, ...search } = searchRequest(
    givenSearch(request, typeof cursor === 'string' ? cursor : undefined),
    nowMs,
  );
  const packets = new SearchPackets({ spansets });
  let stats: QueryStats = NOTHING_READ;
  let problems: readonly string[] = [];
  let next: string | undefined;
  let traces: TraceMatch[] = [];
  let sentMs = clock.monotonicMs();
  const flush = async () => {
    for (const packet of packets.encode(traces, searchMetrics(stats))) await send(packet);
    traces = [];
    sentMs = clock.monotonicMs();
  };
  for await (const part of engine.search({ ...search, signal })) {
    signal.throwIfAborted();
    for (const trace of part.traces) traces.push(trace);
    ({ stats, problems, cursor: next } = part);
    if (clock.monotonicMs() - sentMs >= MESSAGE_INTERVAL_MS) await flush();
  }
  signal.throwIfAborted();
  await flush();
  finish(problems, packets.leftOut);
  if (next !== undefined) trailers.set(CURSOR_HEADER.toLowerCase(), next);
}

async function streamMetrics(call: StreamCall, instant: boolean): Promise<void> {
  const { request, engine, nowMs, clock, signal, send, finish, options } = call;
  const { range, ...metrics } = metricsRequest(givenMetrics(request, instant), options.metrics, nowMs);
  let last: MetricsPart = { series: [], stats: NOTHING_READ, problems: [], truncated: false };
  let sent: MetricsPart | undefined;
  let sentMs = clock.monotonicMs();
  const flush = async () => {
    for (const message of metricsMessages(last, { instant, maxSeries: metrics.maxSeries })) await send(message);
    sent = last;
    sentMs = clock.monotonicMs();
  };
  for await (const part of engine.metrics({ ...metrics, ...range, signal })) {
    signal.throwIfAborted();
    last = part;
    if (clock.monotonicMs() - sentMs >= MESSAGE_INTERVAL_MS) await flush();
  }
  signal.throwIfAborted();
  if (sent !== last) await flush();
  finish(last.problems);
}
