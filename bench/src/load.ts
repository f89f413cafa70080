import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { type Clock, fraction, type Random, systemErrorCode, utf8Decode } from '@vivace/kernel';
import { type Answer, call, keepAlive } from './http.ts';
import { type Latency, latency } from './statistics.ts';
import { tenantName } from './truth.ts';
import { fields, varintAt } from './wire-reader.ts';

/** A request to be sent; `read` of the source gives its bytes. */
export interface LoadRequest {
  spans: number;
  tenant: number;
}

export interface LoadSource<Request extends LoadRequest> {
  requests: readonly Request[];
  read(request: Request): Promise<Uint8Array>;
}

export interface LoadOptions {
  /** The whole address, `…/v1/traces`. */
  url: URL;
  connections: number;
  /** Spans a second, or 0 for as fast as the server answers. */
  rate: number;
  encoding: 'identity' | 'gzip' | 'zstd';
  /** Send the tenant's header. */
  tenants: boolean;
  /** How long one request is tried again, in milliseconds. */
  retryForMs: number;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
  /** Spans of requests that are done, whatever became of them. */
  onProgress?: (spans: number) => void;
}

export interface LoadResult {
  /** Requests answered 200, those with a partial success included. */
  acceptedRequests: number;
  acceptedSpans: number;
  /** Requests answered 200 of which the server refused some spans, and how many. */
  partialRequests: number;
  rejectedSpans: number;
  /** Requests given up: refused for good, or still failing after `retryForMs`. */
  refusedRequests: number;
  refusedSpans: number;
  retries: number;
  /** Answers by status code or system error code. */
  answers: Record<string, number>;
  /** The first reason the server gave for refusing anything. */
  firstReason: string | undefined;
  /** Bytes of accepted bodies as they went over the wire. */
  bytes: number;
  elapsedMs: number;
  spansPerSecond: number;
  /** Of answered attempts. */
  latency: Latency;
}

/** What OTLP says may be tried again; anything else is final (opentelemetry.io/docs/specs/otlp). */
const RETRYABLE = new Set([429, 502, 503, 504]);
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 5000;
const compress = { gzip: promisify(gzip), zstd: promisify(zstdCompress) };

/** Sends every request once accepted, over `connections` connections, each waiting for its answer. */
export async function load<Request extends LoadRequest>(
  source: LoadSource<Request>,
  options: LoadOptions,
): Promise<LoadResult> {
  const { clock, signal } = options;
  const agent = keepAlive(options.connections);
  const result: LoadResult = emptyResult();
  const attemptsMs: number[] = [];
  const startedMs = clock.monotonicMs();
  let next = 0;
  let due = 0;
  const sender = async () => {
    while (next < source.requests.length) {
      signal.throwIfAborted();
      const request = source.requests[next++] as Request;
      const dueMs = options.rate > 0 ? startedMs + (due / options.rate) * 1000 : 0;
      due += request.spans;
      const waitMs = dueMs - clock.monotonicMs();
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      const raw = await source.read(request);
      const body = options.encoding === 'identity' ? raw : await compress[options.encoding](raw);
      await deliver(request, body, options, agent, result, attemptsMs);
      options.onProgress?.(request.spans);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.connections }, sender));
  } finally {
    agent.destroy();
  }
  result.elapsedMs = clock.monotonicMs() - startedMs;
  result.spansPerSecond = (result.acceptedSpans / result.elapsedMs) * 1000;
  result.latency = latency(attemptsMs);
  return result;
}

function emptyResult(): LoadResult {
  return {
    acceptedRequests: 0,
    acceptedSpans: 0,
    partialRequests: 0,
    rejectedSpans: 0,
    refusedRequests: 0,
    refusedSpans: 0,
    retries: 0,
    answers: {},
    firstReason: undefined,
    bytes: 0,
    elapsedMs: 0,
    spansPerSecond: 0,
    latency: latency([]),
  };
}

/** One request until it is accepted, refused for good, or out of time. */
async function deliver(
  request: LoadRequest,
  body: Uint8Array,
  options: LoadOptions,
  agent: ReturnType<typeof keepAlive>,
  result: LoadResult,
  attemptsMs: number[],
): Promise<void> {
  const { clock, signal } = options;
  const headers: Record<string, string> = { 'content-type': 'application/x-protobuf' };
  if (options.encoding !== 'identity') headers['content-encoding'] = options.encoding;
  if (options.tenants) headers['x-scope-orgid'] = tenantName(request.tenant);
  const deadlineMs = clock.monotonicMs() + options.retryForMs;
  for (let attempt = 0; ; attempt++) {
    const answer = await attemptOnce(options.url, headers, body, agent, signal);
    const name = typeof answer === 'string' ? answer : String(answer.status);
    result.answers[name] = (result.answers[name] ?? 0) + 1;
    if (typeof answer !== 'string') attemptsMs.push(answer.ms);
    if (typeof answer !== 'string' && answer.status === 200) {
      accept(request, body, answer, result);
      return;
    }
    const final = typeof answer !== 'string' && !RETRYABLE.has(answer.status);
    const waitMs = backoffMs(attempt, answer, options.random);
    if (final || clock.monotonicMs() + waitMs > deadlineMs) {
      result.refusedRequests++;
      result.refusedSpans += request.spans;
      result.firstReason ??= typeof answer === 'string' ? answer : statusMessage(answer);
      return;
    }
    result.retries++;
    await clock.sleep(waitMs, signal);
  }
}

/** The answer, or the code of the error that came instead of one. */
async function attemptOnce(
  url: URL,
  headers: Record<string, string>,
  body: Uint8Array,
  agent: ReturnType<typeof keepAlive>,
  signal: AbortSignal,
): Promise<Answer | string> {
  try {
    return await call(url, { method: 'POST', headers, body, agent, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    return systemErrorCode(error) ?? 'ERROR';
  }
}

function accept(request: LoadRequest, body: Uint8Array, answer: Answer, result: LoadResult): void {
  const { rejected, message } = partialSuccess(answer.body);
  result.acceptedRequests++;
  result.acceptedSpans += request.spans - rejected;
  result.bytes += body.length;
  if (rejected === 0) return;
  result.partialRequests++;
  result.rejectedSpans += rejected;
  result.firstReason ??= message;
}

/** As the OpenTelemetry exporters wait: what the server asks for, else 1 s growing by half to 5 s, a fifth either way. */
function backoffMs(attempt: number, answer: Answer | string, random: Random): number {
  if (typeof answer !== 'string') {
    const seconds = Number(answer.headers['retry-after']);
    if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  }
  const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 1.5 ** attempt);
  return backoff * (0.8 + 0.4 * fraction(random));
}

/** `ExportTraceServiceResponse.partial_success`: refused spans and the first reason. */
function partialSuccess(body: Uint8Array): { rejected: number; message: string } {
  let rejected = 0;
  let message = '';
  for (const outer of fields(body)) {
    if (outer.number !== 1) continue;
    for (const field of fields(body, outer.start, outer.end)) {
      if (field.number === 1) rejected = varintAt(body, field.start, field.end).value;
      else if (field.number === 2) message = utf8Decode(body.subarray(field.start, field.end));
    }
  }
  return { rejected, message };
}

/** `google.rpc.Status.message`, or the body's beginning where it is none. */
function statusMessage(answer: Answer): string {
  try {
    for (const field of fields(answer.body)) {
      if (field.number === 2) return `${answer.status}: ${utf8Decode(answer.body.subarray(field.start, field.end))}`;
    }
  } catch {
    // Not protobuf: an intermediary's page, or text.
  }
  return `${answer.status}: ${utf8Decode(answer.body.subarray(0, 300))}`;
}
