import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type Clock, concatBytes, type ErrorKind, orAborted, VivaceError } from '@vivace/kernel';
import { allocateGrpcFrame, PREFIX_BYTES } from './grpc-frame.ts';
import {
  encodeGrpcMessage,
  GRPC_DATA_LOSS,
  GRPC_INTERNAL,
  GRPC_OK,
  GRPC_UNIMPLEMENTED,
  type GrpcStatus,
  grpcErrorTrailers,
  grpcStatusOf,
} from './grpc-status.ts';
import { RequestBody, type RequestMemory } from './request-body.ts';

/**
 * gRPC calls on plain streams of `node:http2`: its requests and responses, which look like those of HTTP/1.1, would be a
 * fifth of the processor time of a small call. A library that owns the connection (grpc-js with its connection
 * injector) would take whole sessions, and a client that sends a GET and a call over one connection, as h2
 * proxies do, could not be served. The protocol of a server that takes one message and sends any number is
 * small: five bytes before every message and the status in the trailers.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export interface GrpcCall {
  /** The bytes of the one request message. With `memory` they are valid until the method has settled. */
  message: Uint8Array;
  /** Metadata of the call, lower case, as HTTP headers. */
  headers: IncomingHttpHeaders;
  /** Aborted when the client cancels, at the deadline it has set, and when the server stops. */
  signal: AbortSignal;
  /** Sends a message; resolves when the client has room for more. */
  send: (message: Uint8Array) => Promise<void>;
  /** Metadata that goes out with the status, lower-case names and values of printable ASCII. */
  trailers: Map<string, string>;
}

/** A unary method sends once, a streaming one any number of times. What it throws becomes the status. */
export type GrpcMethod = (call: GrpcCall) => Promise<void>;

export interface GrpcOptions {
  /** By path, `/package.Service/Method`. */
  methods: ReadonlyMap<string, GrpcMethod>;
  clock: Clock;
  maxRequestBytes: number;
  /** Where messages are read to: shared, pooled and within a budget. Default: memory of their own. */
  memory?: RequestMemory;
  /** Whether a failure goes out with trailers that tell a process of ours its kind, code and time to retry. */
  tellsErrors?: boolean;
  /** For a client to send its whole request. */
  requestTimeoutMs: number;
  onError: (error: unknown, request: string) => void;
  /** Aborted when the server stops: calls that would never end by themselves do. */
  stopping: AbortSignal;
}

export function isGrpc(headers: IncomingHttpHeaders): boolean {
  return /^application\/grpc(?:$|[+;])/.test(headers['content-type'] ?? '');
}

/** Serves one call. Never rejects. */
export async function serveGrpc(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: GrpcOptions,
): Promise<void> {
  if (headers[':method'] !== 'POST') {
    stream.respond({ ':status': 405, allow: 'POST', 'content-type': 'text/plain; charset=utf-8' });
    stream.end(`gRPC takes POST, received ${String(headers[':method'])}\n`);
    stream.resume();
    return;
  }
  const path = String(headers[':path']);
  const method = options.methods.get(path);
  if (method === undefined) {
    const message = `unknown method ${path.slice(0, 200)}: this server has ${[...options.methods.keys()].join(', ')}`;
    return endWith(stream, { code: GRPC_UNIMPLEMENTED, message });
  }
  const controller = new AbortController();
  const abort = (kind: ErrorKind, code: string, message: string) =>
    controller.abort(new VivaceError(kind, code, message));
  const onStop = () => abort('unavailable', 'call-unavailable', 'the server is stopping: call another one');
  options.stopping.addEventListener('abort', onStop, { once: true });
  if (options.stopping.aborted) onStop();
  let isEnded = false;
  stream.once('close', () => {
    // An error for every call that has ended well was a twentieth of what a lookup costs an ingester.
    if (!isEnded) abort('canceled', 'call-canceled', 'the client went away');
  });
  const trailers = new Map<string, string>();
  const timers: (() => void)[] = [];
  const timeoutMs = parseGrpcTimeout(headers['grpc-timeout']);
  if (timeoutMs !== undefined) {
    timers.push(
      options.clock.after(timeoutMs, () => abort('deadline', 'call-deadline', 'the deadline of the call is over')),
    );
  }
  const space = createSpace(options);
  let running: Promise<void> | undefined;
  try {
    const read = readMessage(stream, space, options.maxRequestBytes);
    const cancelReadTimer = options.clock.after(options.requestTimeoutMs, () =>
      abort('deadline', 'call-deadline', `the request was not there after ${options.requestTimeoutMs / 1000} s`),
    );
    timers.push(cancelReadTimer);
    await orAborted(read, controller.signal);
    cancelReadTimer();
    const send = (bytes: Uint8Array) => sendMessage(stream, bytes, controller.signal);
    running = method({ message: space.bytes, headers, signal: controller.signal, send, trailers });
    await orAborted(running, controller.signal);
    isEnded = true;
    endWith(stream, { code: GRPC_OK, message: '' }, trailers);
  } catch (error) {
    const status = error instanceof RefusedMessage ? error.status : grpcStatusOf(error);
    if (status.code === GRPC_INTERNAL || status.code === GRPC_DATA_LOSS) options.onError(error, path);
    if (options.tellsErrors) for (const [name, value] of grpcErrorTrailers(error)) trailers.set(name, value);
    endWith(stream, status, trailers);
  } finally {
    for (const cancel of timers) cancel();
    options.stopping.removeEventListener('abort', onStop);
    // A method may go on after its caller has left, and its bytes are not somebody else's before it has ended.
    await running?.catch(() => undefined);
    space.release();
  }
}

/** A request message that cannot be taken, with a status that no kind of error has. */
class RefusedMessage extends Error {
  readonly status: GrpcStatus;
  constructor(status: GrpcStatus) {
    super(status.message);
    this.status = status;
  }
}

/** What a message is read into. */
type MessageSpace = Pick<RequestBody, 'expect' | 'append' | 'release'> & { readonly bytes: Uint8Array };

function createSpace({ memory, maxRequestBytes }: GrpcOptions): MessageSpace {
  if (memory !== undefined) return new RequestBody(memory, maxRequestBytes);
  const parts: Uint8Array[] = [];
  return {
    expect: () => undefined,
    append: (chunk) => parts.push(chunk),
    get bytes() {
      return concatBytes(parts);
    },
    release: () => undefined,
  };
}

/** Reads the one message of a request, whose length is checked before there is room for it. */
function readMessage(stream: ServerHttp2Stream, space: MessageSpace, maxBytes: number): Promise<void> {
  const prefix = new Uint8Array(PREFIX_BYTES);
  let received = 0;
  let declared = -1;
  const take = (chunk: Uint8Array) => {
    let rest = chunk;
    if (received < PREFIX_BYTES) {
      const count = Math.min(PREFIX_BYTES - received, chunk.length);
      prefix.set(chunk.subarray(0, count), received);
      received += count;
      rest = chunk.subarray(count);
      if (received < PREFIX_BYTES) return;
      declared = new DataView(prefix.buffer).getUint32(1);
      if (declared > maxBytes) throw messageTooLarge(maxBytes);
      if (prefix[0] !== 0) throw compressed();
      space.expect(declared);
    }
    received += rest.length;
    if (received - PREFIX_BYTES > declared) throw notOne(declared, received - PREFIX_BYTES);
    if (rest.length > 0) space.append(rest);
  };
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      stream.off('data', onData).off('end', onEnd).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error as Error);
    };
    const onData = (chunk: Uint8Array) => {
      try {
        take(chunk);
      } catch (error) {
        settle(error);
      }
    };
    const onEnd = () => {
      if (received < PREFIX_BYTES) settle(malformed(`the request has no message: ${received} bytes`));
      else if (received - PREFIX_BYTES < declared) settle(notOne(declared, received - PREFIX_BYTES));
      else settle();
    };
    const onClose = () => settle(new VivaceError('canceled', 'call-canceled', 'the client went away'));
    stream.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function messageTooLarge(maxBytes: number): VivaceError {
  return new VivaceError('limited', 'grpc-message-size', `the request is too large: max ${maxBytes} bytes`);
}

function compressed(): RefusedMessage {
  return new RefusedMessage({
    code: GRPC_UNIMPLEMENTED,
    message: 'compressed requests are not supported: send grpc-encoding identity',
  });
}

function notOne(declared: number, sent: number): VivaceError {
  return malformed(`the request is not one message: ${declared} bytes declared, ${sent} sent`);
}

function malformed(message: string): VivaceError {
  return new VivaceError('invalid', 'grpc-message', message);
}

async function sendMessage(stream: ServerHttp2Stream, message: Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!stream.headersSent) stream.respond(HEAD, { waitForTrailers: true });
  const frame = allocateGrpcFrame(message.length);
  frame.set(message, PREFIX_BYTES);
  const { promise: written, resolve } = Promise.withResolvers<void>();
  // Where there is room for more nobody waits: the last message of an answer goes out with its end.
  if (!stream.write(frame, () => resolve())) await orAborted(written, signal);
}

const HEAD = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' };

/** Ends a call: in the trailers when messages were sent, else in the headers alone. */
function endWith(
  stream: ServerHttp2Stream,
  { code, message }: GrpcStatus,
  trailers: ReadonlyMap<string, string> = new Map(),
): void {
  if (stream.destroyed || stream.closed) return;
  const status = {
    ...Object.fromEntries(trailers),
    'grpc-status': String(code),
    ...(message === '' ? {} : { 'grpc-message': encodeGrpcMessage(message) }),
  };
  // A client that is still sending is told that nobody reads it any more.
  if (!stream.readableEnded) {
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    stream.resume();
  }
  if (stream.headersSent) {
    stream.once('wantTrailers', () => stream.sendTrailers(status));
    stream.end();
  } else {
    // Status in the headers counts only where the headers are the end: one frame.
    stream.respond({ ...HEAD, ...status }, { endStream: true });
  }
}

const UNIT_MS = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1000],
  ['m', 1],
  ['u', 0.001],
  ['n', 0.000001],
]);

/** setTimeout takes no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds of a `grpc-timeout` header; undefined when there is none that can be read. */
export function parseGrpcTimeout(header: string | string[] | undefined): number | undefined {
  const match = typeof header === 'string' ? /^([0-9]{1,8})([HMSmun])$/.exec(header) : null;
  if (match === null) return undefined;
  return Math.min(MAX_TIMER_MS, Number(match[1]) * (UNIT_MS.get(match[2] as string) as number));
}
