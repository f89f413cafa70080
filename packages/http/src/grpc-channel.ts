import http2 from 'node:http2';
import { type Clock, isKind, toVivaceError, VivaceError } from '@vivace/kernel';
import { GrpcFrameReader } from './grpc-frame.ts';
import { errorOfGrpcTrailers, type GrpcErrorTrailers } from './grpc-status.ts';

export interface GrpcChannelOptions {
  host: string;
  port: number;
  tls?: ChannelTls | undefined;
  clock: Clock;
  /** For a connection, its handshake included. Default 2 s: who does not answer by then is not there. */
  connectTimeoutMs?: number;
}

export interface ChannelTls {
  /** PEM, the authorities that may have signed the server's certificate. Default: those of the system. */
  ca?: string;
  /** PEM, for servers that want to know who calls. */
  certificate?: string;
  key?: string;
  /** The name in the server's certificate. Default: the host that is called. */
  serverName?: string;
}

export interface GrpcRequest {
  /** `/package.Service/Method` */
  path: string;
  /** Metadata, lower case. */
  headers?: Readonly<Record<string, string>>;
  /** The message in its frame (`allocateGrpcFrame`); must not change until the call has settled. */
  frame: Uint8Array;
  /** The server is told, and gives up too. */
  timeoutMs: number;
  /** The server is told when it is aborted. */
  signal?: AbortSignal | undefined;
  maxAnswerBytes: number;
}

/**
 * Calls to one server over one connection, which is made when it is needed and again when it is lost. Errors are those
 * of the server with their kind and code; `unavailable` where it cannot be reached or the connection breaks,
 * `deadline` when the time is over, `canceled` by the signal.
 */
export interface GrpcChannel {
  /** A call with one message in its answer. */
  call(request: GrpcRequest): Promise<Uint8Array>;
  /** The messages of an answer. They are not read faster than they are taken. */
  stream(request: GrpcRequest): AsyncGenerator<Uint8Array>;
  /** Takes no more calls; those under way end, within their time. Idempotent. */
  close(): void;
}

/** What may be on its way to a caller that has not taken it, of one call and of all. */
const STREAM_WINDOW_BYTES = 2 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 2000;
/** For the answer to a ping of a connection on which a call ran out of time. */
const PING_TIMEOUT_MS = 2000;

export function createGrpcChannel(options: GrpcChannelOptions): GrpcChannel {
  const { host, port, tls, clock, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  let connecting: Promise<http2.ClientHttp2Session> | undefined;
  let closed = false;

  const connect = (): Promise<http2.ClientHttp2Session> => {
    if (closed) return Promise.reject(unavailable('channel-closed', `the channel to ${address} is closed`));
    if (connecting !== undefined) return connecting;
    const made = openSession();
    connecting = made;
    const forget = () => {
      if (connecting === made) connecting = undefined;
    };
    made.then((session) => {
      session.once('close', forget);
      session.once('goaway', () => {
        // Calls under way end; the next ones go over a new connection.
        forget();
        session.close();
      });
    }, forget);
    return made;
  };

  const openSession = () =>
    new Promise<http2.ClientHttp2Session>((resolve, reject) => {
      const session = http2.connect(`${tls === undefined ? 'http' : 'https'}://${address}`, {
        settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
        ...(tls !== undefined && tlsOptions(tls, host)),
      });
      let reason = 'the connection was closed';
      const cancel = clock.after(connectTimeoutMs, () => {
        reason = `no connection after ${connectTimeoutMs / 1000} s`;
        session.destroy();
      });
      session.on('error', (error) => {
        reason = error.message;
      });
      session.once('connect', () => {
        cancel();
        session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
        // An idle connection is no reason to stay alive.
        session.unref();
        resolve(session);
      });
      session.once('close', () => {
        cancel();
        reject(unavailable('connect-failed', `${address} cannot be reached: ${reason}`));
      });
    });

  /** A peer that is gone without a word would be called for minutes. */
  const probe = (session: http2.ClientHttp2Session) => {
    if (session.closed || session.destroyed) return;
    const cancel = clock.after(PING_TIMEOUT_MS, () => session.destroy());
    if (!session.ping(() => cancel())) cancel();
  };

  async function* stream(request: GrpcRequest): AsyncGenerator<Uint8Array> {
    const deadline = clock.monotonicMs() + request.timeoutMs;
    request.signal?.throwIfAborted();
    const session = await connect();
    const left = Math.max(1, Math.ceil(deadline - clock.monotonicMs()));
    let isLate = false;
    try {
      yield* run(session, { ...request, timeoutMs: left }, { clock, address });
    } catch (error) {
      isLate = isKind(error, 'deadline');
      throw error;
    } finally {
      if (isLate) probe(session);
    }
  }

  return {
    stream,
    call: async (request) => {
      let answer: Uint8Array | undefined;
      for await (const message of stream(request)) {
        if (answer !== undefined) throw new VivaceError('data', 'grpc-answer', `${address} sent more than one message`);
        answer = message;
      }
      if (answer === undefined) throw new VivaceError('data', 'grpc-answer', `${address} sent no message`);
      return answer;
    },
    close: () => {
      closed = true;
      connecting?.then(
        (session) => session.close(),
        () => undefined,
      );
    },
  };
}

async function* run(
  session: http2.ClientHttp2Session,
  { path, headers, frame, timeoutMs, signal, maxAnswerBytes }: GrpcRequest,
  { clock, address }: { clock: Clock; address: string },
): AsyncGenerator<Uint8Array> {
  let failure: VivaceError | undefined;
  let status: GrpcErrorTrailers | undefined;
  let httpStatus = 0;
  const call = openStream(session, address, {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${Math.min(timeoutMs, 99_999_999)}m`,
    ...headers,
  });
  const closed = new Promise<void>((resolve) => call.once('close', () => resolve()));
  const giveUp = (error: VivaceError) => {
    failure ??= error;
    call.close(http2.constants.NGHTTP2_CANCEL);
  };
  const cancelTimer = clock.after(timeoutMs, () =>
    giveUp(new VivaceError('deadline', 'call-deadline', `${address} has not answered in ${timeoutMs} ms`)),
  );
  const onAbort = () => giveUp(toVivaceError(signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  call.on('error', (error) => {
    failure ??= unavailable('call-broken', `the call to ${address} broke off: ${error.message}`);
  });
  call.on('response', (answer) => {
    httpStatus = answer[':status'] ?? 0;
    if (answer['grpc-status'] !== undefined) status = answer as GrpcErrorTrailers;
  });
  call.on('trailers', (trailers) => {
    status = trailers as GrpcErrorTrailers;
  });
  call.end(frame);
  const reader = new GrpcFrameReader(maxAnswerBytes);
  try {
    for await (const chunk of call) yield* reader.take(chunk as Uint8Array);
  } catch (error) {
    // What broke the stream is told by its events.
    if (error instanceof VivaceError) failure ??= error;
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', onAbort);
    if (!call.closed) call.close(http2.constants.NGHTTP2_CANCEL);
  }
  await closed;
  if (failure !== undefined) throw failure;
  if (status === undefined) {
    const what = httpStatus === 0 || httpStatus === 200 ? 'the connection was lost' : `HTTP status ${httpStatus}`;
    throw unavailable('call-broken', `the call to ${address} has no answer: ${what}`);
  }
  if (status['grpc-status'] !== '0') throw errorOfGrpcTrailers(status);
  if (!reader.isEmpty) throw new VivaceError('data', 'grpc-answer', `the answer of ${address} is cut off`);
}

function openStream(
  session: http2.ClientHttp2Session,
  address: string,
  headers: http2.OutgoingHttpHeaders,
): http2.ClientHttp2Stream {
  try {
    return session.request(headers);
  } catch (error) {
    // The connection was lost since it was looked up.
    const { message } = toVivaceError(error);
    throw unavailable('call-broken', `the call to ${address} broke off: ${message}`);
  }
}

function tlsOptions({ ca, certificate, key, serverName }: ChannelTls, host: string): http2.SecureClientSessionOptions {
  const name = serverName ?? host;
  return {
    minVersion: 'TLSv1.2',
    // An address is no server name in TLS.
    ...(!/^[\d.]+$|:/.test(name) && { servername: name }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
}

function unavailable(code: string, message: string): VivaceError {
  return new VivaceError('unavailable', code, message);
}
