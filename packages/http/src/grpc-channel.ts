import http2 from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
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
  /** Resolves when the server has answered on its connection; `unavailable`, within seconds, where it does not. */
  reach(): Promise<void>;
  /** Takes no more calls; those under way end, within their time. Idempotent. */
  close(): void;
}

/** What may be on its way to a caller that has not taken it, of one call and of all. */
const STREAM_WINDOW_BYTES = 2 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 2000;
/** While a call waits its peer is asked so often whether it is there, and given so long to say so: five seconds in all. */
const PING_EVERY_MS = 2000;
const PING_TIMEOUT_MS = 3000;
const PING_LAST_MS = 500;

export function createGrpcChannel(options: GrpcChannelOptions): GrpcChannel {
  const { host, port, tls, clock, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  let connecting: Promise<http2.ClientHttp2Session> | undefined;
  let closed = false;
  /** Connections of which an answer to a ping is waited for. */
  const probing = new WeakSet<http2.ClientHttp2Session>();
  /** What keeps a connection from being used for the next call. */
  const forgets = new WeakMap<http2.ClientHttp2Session, () => void>();

  const connect = (): Promise<http2.ClientHttp2Session> => {
    if (closed) return Promise.reject(unavailable('channel-closed', `the channel to ${address} is closed`));
    if (connecting !== undefined) return connecting;
    const made = openSession();
    connecting = made;
    const forget = () => {
      if (connecting === made) connecting = undefined;
    };
    made.then((session) => {
      forgets.set(session, forget);
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
      const socket =
        tls === undefined
          ? connectPlain({ host, port })
          : connectTls({ ...tlsOptions(tls, host), ALPNProtocols: ['h2'], host, port });
      const session = http2.connect(`${tls === undefined ? 'http' : 'https'}://${address}`, {
        settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
        createConnection: () => socket,
      });
      let reason = 'the connection was closed';
      const cancel = clock.after(connectTimeoutMs, () => {
        reason = `no connection after ${connectTimeoutMs / 1000} s`;
        session.destroy();
        // The session leaves a socket alone that is not connected, and waits for it.
        socket.destroy();
      });
      session.on('error', (error) => {
        reason = error.message;
      });
      session.once('connect', () => {
        cancel();
        // Destroyed before it came to that.
        if (session.destroyed) return;
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

  /**
   * A peer that is gone without a word would be waited for to the end of every call, and called for minutes. One that is
   * slow because what it writes to is slow answers a ping: its calls are not made anew elsewhere.
   */
  const probe = (session: http2.ClientHttp2Session) => {
    if (session.closed || session.destroyed || probing.has(session)) return;
    probing.add(session);
    let cancel = clock.after(PING_TIMEOUT_MS - PING_LAST_MS, () => {
      // Where this process itself stood still the answer is here, and is read before the next timer.
      cancel = clock.after(PING_LAST_MS, () => {
        forgets.get(session)?.();
        session.destroy();
      });
    });
    const end = () => {
      probing.delete(session);
      cancel();
    };
    if (!session.ping(end)) end();
  };

  /** Probes as long as a call waits, until the returned function is called. */
  const watch = (session: http2.ClientHttp2Session): (() => void) => {
    const ask = () => {
      probe(session);
      cancel = clock.after(PING_EVERY_MS, ask);
    };
    let cancel = clock.after(PING_EVERY_MS, ask);
    return () => cancel();
  };

  const reach = async (): Promise<void> => {
    const session = await connect();
    const { promise: answered, resolve, reject } = Promise.withResolvers<void>();
    const fail = () => reject(unavailable('connect-failed', `${address} cannot be reached: it does not answer`));
    session.once('close', fail);
    try {
      // Closes a connection on which nothing comes back.
      probe(session);
      if (session.destroyed || !session.ping((error) => (error === null ? resolve() : fail()))) fail();
      await answered;
    } finally {
      session.off('close', fail);
    }
  };

  /** Sends a request within its time, over a connection that is watched until `done` is called. */
  const begin = async (request: GrpcRequest): Promise<{ call: Call; done: (failure: unknown) => void }> => {
    const deadline = clock.monotonicMs() + request.timeoutMs;
    request.signal?.throwIfAborted();
    const session = await connect();
    const timeoutMs = Math.max(1, Math.ceil(deadline - clock.monotonicMs()));
    const call = openCall(session, { ...request, timeoutMs }, { clock, address });
    const unwatch = watch(session);
    const done = (failure: unknown) => {
      unwatch();
      if (isKind(failure, 'deadline')) probe(session);
    };
    return { call, done };
  };

  return {
    reach,
    stream: async function* (request) {
      const { call, done } = await begin(request);
      let failure: unknown;
      try {
        yield* streamOf(call);
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        done(failure);
      }
    },
    call: async (request) => {
      const { call, done } = await begin(request);
      let failure: unknown;
      try {
        return await answerOf(call);
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        done(failure);
      }
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

/** A call under way. */
interface Call {
  stream: http2.ClientHttp2Stream;
  reader: GrpcFrameReader;
  address: string;
  /** Ends it early; what is said first is why it fails. */
  giveUp: (error: VivaceError) => void;
  /** Resolves when it has ended with status OK, rejects with why it has not. */
  ended: () => Promise<void>;
}

function openCall(
  session: http2.ClientHttp2Session,
  { path, headers, frame, timeoutMs, signal, maxAnswerBytes }: GrpcRequest,
  { clock, address }: { clock: Clock; address: string },
): Call {
  let failure: VivaceError | undefined;
  let status: GrpcErrorTrailers | undefined;
  let httpStatus = 0;
  const reader = new GrpcFrameReader(maxAnswerBytes);
  const stream = openStream(session, address, {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${Math.min(timeoutMs, 99_999_999)}m`,
    ...headers,
  });
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  stream.once('close', () => {
    cancelTimer();
    signal?.removeEventListener('abort', onAbort);
    onClose();
  });
  const giveUp = (error: VivaceError) => {
    failure ??= error;
    if (!stream.closed) stream.close(http2.constants.NGHTTP2_CANCEL);
  };
  const cancelTimer = clock.after(timeoutMs, () =>
    giveUp(new VivaceError('deadline', 'call-deadline', `${address} has not answered in ${timeoutMs} ms`)),
  );
  const onAbort = () => giveUp(toVivaceError(signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  stream.on('error', (error) => {
    failure ??= unavailable('call-broken', `the call to ${address} broke off: ${error.message}`);
  });
  stream.on('response', (answer) => {
    httpStatus = answer[':status'] ?? 0;
    if (answer['grpc-status'] !== undefined) status = answer as GrpcErrorTrailers;
  });
  stream.on('trailers', (trailers) => {
    status = trailers as GrpcErrorTrailers;
  });
  stream.end(frame);
  const ended = async (): Promise<void> => {
    await closed;
    if (failure !== undefined) throw failure;
    if (status === undefined) {
      const what = httpStatus === 0 || httpStatus === 200 ? 'the connection was lost' : `HTTP status ${httpStatus}`;
      throw unavailable('call-broken', `the call to ${address} has no answer: ${what}`);
    }
    if (status['grpc-status'] !== '0') throw errorOfGrpcTrailers(status);
    if (!reader.isEmpty) throw new VivaceError('data', 'grpc-answer', `the answer of ${address} is cut off`);
  };
  return { stream, reader, address, giveUp, ended };
}

/** The messages of an answer, which is not read faster than they are taken. */
async function* streamOf({ stream, reader, giveUp, ended }: Call): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield* reader.take(chunk as Uint8Array);
  } catch (error) {
    // What broke the stream is told by its events.
    if (error instanceof VivaceError) giveUp(error);
  } finally {
    if (!stream.closed) stream.close(http2.constants.NGHTTP2_CANCEL);
  }
  await ended();
}

/** The one message of an answer, which nobody takes in pieces: its parts are put together as they come. */
async function answerOf({ stream, reader, address, giveUp, ended }: Call): Promise<Uint8Array> {
  let answer: Uint8Array | undefined;
  stream.on('data', (chunk: Uint8Array) => {
    try {
      for (const message of reader.take(chunk)) {
        if (answer !== undefined) throw new VivaceError('data', 'grpc-answer', `${address} sent more than one message`);
        answer = message;
      }
    } catch (error) {
      giveUp(toVivaceError(error));
    }
  });
  await ended();
  if (answer === undefined) throw new VivaceError('data', 'grpc-answer', `${address} sent no message`);
  return answer;
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

/** How a caller shows who it is, and checks who is called. */
export function tlsOptions({ ca, certificate, key, serverName }: ChannelTls, host: string): ConnectionOptions {
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
