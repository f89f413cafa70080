import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyLate, collectBody, RequestBody } from '@vivace/http';
import { type Service, toVivaceError, type VivaceError } from '@vivace/kernel';
import {
  encodeExportResponse,
  encodeRpcStatus,
  exportResponseToJson,
  type PartialSuccess,
  type PushResult,
  rpcStatusToJson,
  tracesFromJson,
} from '@vivace/otlp';
import { type ContentEncoding, contentEncoding, inflate } from './content-encoding.ts';
import { type Cors, createCors } from './cors.ts';
import { errorStatus } from './error-status.ts';
import { createGate } from './gate.ts';
import { createHttpListener, DEFAULT_REQUEST_TIMEOUT_MS, type HttpListenerOptions } from './http-listener.ts';
import { createLateRequests } from './late-requests.ts';
import type { ReceiverOptions } from './receiver-options.ts';
import { TENANT_HEADER, writeTenant } from './tenant-header.ts';

export interface HttpReceiverOptions extends ReceiverOptions, HttpListenerOptions {
  /** Origins whose browsers may send. Default none. */
  corsOrigins?: readonly string[];
}

export interface HttpReceiver extends Service {
  /** Where it listens, once started. */
  address(): { host: string; port: number };
}

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';
/**
 * Bodies inflated at one time: as many as node's thread pool has threads. What they grow to before it is
 * counted in the budget is at most this times `maxRequestBytes`.
 */
const MAX_INFLATING = 4;
/** What is left to a client that is still sending after its answer, before the connection is closed. */
const LINGER_MS = 1000;

/** A request judged by its head alone. */
interface Plan {
  tenant: string;
  json: boolean;
  encoding: ContentEncoding;
  /** Undefined for a chunked body. */
  length: number | undefined;
}

/**
 * OTLP over HTTP (opentelemetry.io/docs/specs/otlp, section OTLP/HTTP): POST /v1/traces, protobuf or JSON.
 * Hot path: an uncompressed protobuf body goes from the socket into a pooled buffer and from there to the
 * sink; nothing else is done per byte.
 */
export function createHttpReceiver(options: HttpReceiverOptions): HttpReceiver {
  const { memory, metrics, clock } = options;
  const cors = createCors(options.corsOrigins ?? []);
  const inflating = createGate(MAX_INFLATING);
  const late = createLateRequests(clock);
  const timeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const listener = createHttpListener(options, {
    onRequest: (request, response, expectsContinue) => {
      setHeaders(response, cors.answer(request.headers.origin));
      closeWhenStopping(response);
      if (refusedByRoute(request, response, cors)) return linger(request, response);
      void receive(request, response, expectsContinue);
    },
    onLate: (socket, refuse) => late.expire(socket, refuse),
  });

  async function receive(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const startedMs = clock.monotonicMs();
    const json = mediaType(request) === JSON_TYPE;
    const gone = new AbortController();
    // Not of every answer that went out: an abort makes an error, with the stack that nobody looks at.
    response.on('close', () => {
      if (!response.writableEnded) gone.abort();
    });
    const body = new RequestBody(memory, options.maxRequestBytes);
    try {
      const plan = planOf(request, json);
      if (plan.length !== undefined) body.expect(plan.length);
      if (expectsContinue) response.writeContinue();
      const reading = collectBody(request, body);
      const ended = late.begin(request.socket, () => reading.giveUp(bodyLate(timeoutMs)));
      try {
        await reading.done;
      } finally {
        ended();
      }
      metrics.receivedBytes.inc({ transport: 'http' }, body.bytes.length);
      await decode(body, plan);
      const result = await push(plan.tenant, body, gone.signal);
      closeWhenStopping(response);
      answerSuccess(response, json, result);
    } catch (error) {
      const ours = toVivaceError(error);
      if (ours.kind === 'internal') options.onDefect(ours);
      closeWhenStopping(response);
      if (!response.destroyed) answerError(response, json, ours);
    } finally {
      body.release();
      // A client that left got no answer, whatever it would have been.
      const status = response.writableEnded ? String(response.statusCode) : 'canceled';
      metrics.requests.inc({ transport: 'http', status });
      metrics.seconds.observe({ transport: 'http' }, (clock.monotonicMs() - startedMs) / 1000);
    }
    linger(request, response);
  }

  /** `stop` waits for connections; one that is kept alive would make it wait in vain. */
  function closeWhenStopping(response: ServerResponse): void {
    if (listener.stopping && !response.headersSent) response.shouldKeepAlive = false;
  }

  function planOf(request: IncomingMessage, json: boolean): Plan {
    const tenant = writeTenant(headerText(request.headers[TENANT_HEADER]), options.multitenancy);
    const encoding = contentEncoding(request.headers['content-encoding']);
    const declared = request.headers['content-length'];
    const length = declared === undefined ? undefined : Number(declared);
    return { tenant, json, encoding, length };
  }

  /** Leaves protobuf in `body`. */
  async function decode(body: RequestBody, plan: Plan): Promise<void> {
    const { encoding, json } = plan;
    if (encoding !== 'identity') {
      const parts = await inflating.run(() => inflate(encoding, body.bytes, options.maxRequestBytes));
      body.replace(parts);
    }
    if (json) body.replace([tracesFromJson(body.bytes)]);
  }

  async function push(tenant: string, body: RequestBody, signal: AbortSignal): Promise<PushResult> {
    if (body.bytes.length === 0) return { acceptedSpans: 0, rejectedSpans: 0 };
    return options.sink.push(tenant, { bytes: body.bytes, release: () => body.release() }, signal);
  }

  /** Closes the connection if the client has not finished its body a while after the answer. */
  function linger(request: IncomingMessage, response: ServerResponse): void {
    if (request.complete || response.destroyed) return;
    request.resume();
    clock.after(LINGER_MS, () => {
      if (!request.complete) request.socket.destroy();
    });
  }

  let started: Promise<void> | undefined;
  return {
    start: () => (started ??= listener.start()),
    stop: () => listener.stop(),
    address: () => listener.address(),
  };
}

/** Answers what needs no look at the request's content. True if it did. */
function refusedByRoute(request: IncomingMessage, response: ServerResponse, cors: Cors): boolean {
  const path = request.url?.split('?', 1)[0];
  if (path !== '/v1/traces') return answerText(response, 404, '404 page not found\n');
  if (request.method === 'OPTIONS') {
    const headers = cors.preflight(request.headers);
    if (headers !== undefined) {
      setHeaders(response, headers);
      return answerText(response, 204, '');
    }
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    return answerText(response, 405, '405 method not allowed, supported: [POST]');
  }
  const type = mediaType(request);
  if (type !== PROTOBUF && type !== JSON_TYPE) {
    return answerText(response, 415, `415 unsupported media type, supported: [${JSON_TYPE}, ${PROTOBUF}]`);
  }
  return false;
}

function mediaType(request: IncomingMessage): string {
  const header = request.headers['content-type'] ?? '';
  if (header === PROTOBUF || header === JSON_TYPE) return header;
  return (header.split(';', 1)[0] ?? '').trim().toLowerCase();
}

const NOTHING = Buffer.alloc(0);
const NO_MEMBERS = Buffer.from('{}');

function answerSuccess(response: ServerResponse, json: boolean, result: PushResult): void {
  const partial = partialSuccess(result);
  if (partial === undefined) answer(response, 200, json, json ? NO_MEMBERS : NOTHING);
  else answer(response, 200, json, json ? Buffer.from(exportResponseToJson(partial)) : encodeExportResponse(partial));
}

function answerError(response: ServerResponse, json: boolean, error: VivaceError): void {
  const { http, grpc, message, retryDelayMs } = errorStatus(error);
  if (retryDelayMs !== undefined) response.setHeader('retry-after', Math.max(1, Math.ceil(retryDelayMs / 1000)));
  const status = { code: grpc, message, ...(retryDelayMs === undefined ? {} : { retryDelayMs }) };
  answer(response, http, json, json ? Buffer.from(rpcStatusToJson(status)) : encodeRpcStatus(status));
}

function answer(response: ServerResponse, status: number, json: boolean, body: Uint8Array): void {
  response.writeHead(status, { 'content-type': json ? JSON_TYPE : PROTOBUF, 'content-length': body.length });
  response.end(body);
}

function answerText(response: ServerResponse, status: number, text: string): true {
  if (status !== 204) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.writeHead(status);
  response.end(text);
  return true;
}

function setHeaders(response: ServerResponse, headers: Record<string, string> | undefined): void {
  for (const name in headers) response.setHeader(name, headers[name] as string);
}

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

/** Present only if something was left out or there is a warning, as OTLP wants it. */
export function partialSuccess(result: PushResult): PartialSuccess | undefined {
  if (result.rejectedSpans === 0 && result.firstReason === undefined) return undefined;
  return { rejectedSpans: result.rejectedSpans, errorMessage: result.firstReason ?? '' };
}
