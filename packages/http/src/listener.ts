import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Clock, listenError, VivaceError } from '@vivace/kernel';
import { answerClientError } from './client-error.ts';
import { HTTP2_PREFACE, readPreface } from './preface.ts';
import { isGrpc } from './serve-grpc.ts';

/**
 * One TCP port for HTTP/1.1 and HTTP/2. Grafana's data source sends REST by HTTP/1.1 and its streaming calls
 * by gRPC to the same address. Without TLS the first bytes of a connection tell which it is, with TLS the
 * client says so in the handshake (ALPN).
 *
 * The `http` server owns the port, so that its own clocks for slow requests run; its connection listener is
 * taken off and called only for connections that turn out to speak HTTP/1.1. All others are handed to an
 * `http2` server that listens nowhere.
 */
export interface ListenerOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** The flag that sets the port, for error messages. */
  portFlag: string;
  tls?: ListenerTls;
  limits: ListenerLimits;
  clock: Clock;
  onRequest: (request: AnyRequest, response: AnyResponse) => void;
  /** Takes what is gRPC by HTTP/2; without it that is a request like others. */
  onGrpc?: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;
  /** Takes connections of a protocol of our own. */
  own?: OwnProtocol;
  /** A connection was refused because there are `maxConnections`. */
  onRefused: () => void;
}

export interface OwnProtocol {
  /** The first bytes of its connections, which no other protocol begins with; they are left to be read. */
  preface: Buffer;
  /** Its name where TLS negotiates one. */
  alpn: string;
  /** `leave` lets what is under way end, and then closes the connection. */
  serve: (socket: Socket) => { leave(): void };
}

export type AnyRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type AnyResponse = http.ServerResponse | http2.Http2ServerResponse;

export interface ListenerTls {
  /** PEM, the server's certificate first, then intermediates. */
  certificate: string;
  /** PEM. */
  key: string;
  /** PEM; when given, only clients with a certificate of this authority are served. */
  clientCa?: string;
}

export interface ListenerLimits {
  maxConnections: number;
  maxHeaderBytes: number;
  maxHeaders: number;
  /** Requests at the same time on one HTTP/2 connection. */
  maxStreams: number;
  /** What a client of HTTP/2 may have on its way that nobody has read, of one request and on one connection. */
  streamWindowBytes: number;
  connectionWindowBytes: number;
  /** From the connection to the first bytes, to the end of a TLS handshake, to the end of the headers. */
  headersTimeoutMs: number;
  /** From its first byte to the end of a request, body included. */
  requestTimeoutMs: number;
  /** A connection without a request. */
  idleTimeoutMs: number;
  /** A client that takes nothing of an answer. */
  stallTimeoutMs: number;
  /** For requests that run when the server stops. */
  stopTimeoutMs: number;
}

const HTTP2_WINDOW_BYTES = 65_535;

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  // Far above what a query edge has (a Grafana server keeps about ten), below the usual 4,096 file handles.
  maxConnections: 2048,
  // Node's own default; cookies that a proxy forwards are the largest thing seen in practice.
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 200,
  // What gRPC servers and browsers take as usual.
  maxStreams: 100,
  // HTTP/2's own defaults: requests to the API are small.
  streamWindowBytes: HTTP2_WINDOW_BYTES,
  connectionWindowBytes: HTTP2_WINDOW_BYTES,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Longer than the 60 and 90 s of common proxies and of Go's client, so that the other side closes first.
  idleTimeoutMs: 120_000,
  stallTimeoutMs: 60_000,
  stopTimeoutMs: 10_000,
};

export interface Listener {
  readonly address: ListenAddress;
  /** Takes no more connections, lets requests end for a bounded time, then closes everything. */
  stop(): Promise<void>;
}

export interface ListenAddress {
  host: string;
  port: number;
  /** `http://host:port`, or https. */
  url: string;
}

/** Listens. Throws `unavailable` or `invalid` with what to do when the port cannot be had. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { limits, clock } = options;
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  const own = new Set<{ leave(): void }>();
  /** Requests that run on each HTTP/1.1 connection. */
  const running = new Map<Socket, number>();
  let stopping = false;

  const onRequest = (request: AnyRequest, response: AnyResponse) => {
    // Without listeners a client that breaks off would be an uncaught error.
    request.on('error', ignore);
    response.on('error', ignore);
    if (response instanceof http2.Http2ServerResponse) closeStalled(response.stream, limits.stallTimeoutMs);
    else trackHttp1(request.socket as Socket, response);
    options.onRequest(request, response);
  };
  const trackHttp1 = (socket: Socket, response: http.ServerResponse) => {
    running.set(socket, (running.get(socket) ?? 0) + 1);
    if (stopping) response.setHeader('connection', 'close');
    response.once('close', () => {
      const left = (running.get(socket) ?? 1) - 1;
      if (left > 0) running.set(socket, left);
      else running.delete(socket);
      if (stopping && left === 0) socket.destroySoon();
    });
  };

  const http2Server = createHttp2Server(options, onRequest, () => stopping, sessions);
  const server = createFrontServer(options, onRequest);
  server.maxConnections = limits.maxConnections;
  server.maxHeadersCount = limits.maxHeaders;
  server.on('drop', options.onRefused);
  server.on('clientError', answerClientError);
  server.timeout = limits.stallTimeoutMs;
  server.on('timeout', (socket: Socket) => {
    // Work that takes long is no reason to close; a client that does not read, or asks nothing, is.
    if (!running.has(socket) || socket.writableLength > 0) socket.destroy();
  });

  const secure = options.tls !== undefined;
  const connected = secure ? 'secureConnection' : 'connection';
  const serveHttp1 = server.listeners(connected).at(-1) as (this: http.Server, socket: Socket) => void;
  server.off(connected, serveHttp1);
  const serve = (socket: Socket, protocol: 'http1' | 'http2' | 'own') => {
    if (protocol === 'http1') return serveHttp1.call(server, socket);
    // Neither of the others has a use for one direction.
    socket.allowHalfOpen = false;
    if (protocol === 'http2') return void http2Server.emit('connection', socket);
    const served = options.own?.serve(socket);
    if (served === undefined) return void socket.destroy();
    own.add(served);
    socket.once('close', () => own.delete(served));
    if (stopping) served.leave();
  };
  const prefaces = options.own === undefined ? [HTTP2_PREFACE] : [HTTP2_PREFACE, options.own.preface];
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignore);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (secure) return;
    undecided.add(socket);
    socket.once('close', () => undecided.delete(socket));
    readPreface(socket, { timeoutMs: limits.headersTimeoutMs, clock, prefaces }, (preface) => {
      undecided.delete(socket);
      serve(socket, preface === undefined ? 'http1' : preface === HTTP2_PREFACE ? 'http2' : 'own');
    });
  });
  if (secure) {
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', ignore);
      const { alpnProtocol } = socket;
      serve(socket, alpnProtocol === 'h2' ? 'http2' : alpnProtocol === options.own?.alpn ? 'own' : 'http1');
    });
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
  }

  const address = await bind(server, options);

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopping = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of sessions) session.close();
    for (const served of own) served.leave();
    for (const socket of undecided) socket.destroy();
    server.closeIdleConnections();
    const cancelTimer = clock.after(limits.stopTimeoutMs, () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    });
    await closed;
    cancelTimer();
    http2Server.close();
  };
  return { address, stop: () => (stopped ??= stop()) };
}

function createFrontServer(
  { tls, limits, own }: ListenerOptions,
  onRequest: (request: http.IncomingMessage, response: http.ServerResponse) => void,
): http.Server {
  const common = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.max(50, Math.min(2000, limits.headersTimeoutMs / 4)),
  };
  if (tls === undefined) return http.createServer(common, onRequest);
  const client = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
  try {
    return https.createServer(
      {
        ...common,
        ...client,
        cert: tls.certificate,
        key: tls.key,
        ALPNProtocols: ['h2', 'http/1.1', ...(own === undefined ? [] : [own.alpn])],
        handshakeTimeout: limits.headersTimeoutMs,
        minVersion: 'TLSv1.2',
      },
      onRequest,
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VivaceError(
      'invalid',
      'tls-files',
      `the TLS certificate, key or client CA cannot be used: give PEM files that belong together (${reason})`,
      { cause },
    );
  }
}

function createHttp2Server(
  { limits, clock, onGrpc }: ListenerOptions,
  onRequest: (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void,
  isStopping: () => boolean,
  sessions: Set<http2.ServerHttp2Session>,
): http2.Http2Server {
  const server = http2.createServer(
    {
      maxHeaderListPairs: limits.maxHeaders,
      settings: {
        maxConcurrentStreams: limits.maxStreams,
        initialWindowSize: limits.streamWindowBytes,
        maxHeaderListSize: limits.maxHeaderBytes,
        enablePush: false,
      },
    },
    onRequest,
  );
  if (onGrpc !== undefined) {
    const serveRequest = server.listeners('stream').at(-1) as (...args: unknown[]) => void;
    server.off('stream', serveRequest);
    server.on('stream', (stream, headers, ...more) => {
      if (!isGrpc(headers)) return serveRequest.call(server, stream, headers, ...more);
      stream.on('error', ignore);
      closeStalled(stream, limits.stallTimeoutMs);
      onGrpc(stream, headers);
    });
  }
  server.on('session', (session) => {
    sessions.add(session);
    let streams = 0;
    session.on('stream', (stream) => {
      streams++;
      stream.once('close', () => streams--);
    });
    session.once('close', () => sessions.delete(session));
    if (limits.connectionWindowBytes > HTTP2_WINDOW_BYTES) session.setLocalWindowSize(limits.connectionWindowBytes);
    session.setTimeout(limits.idleTimeoutMs, () => {
      if (streams > 0) return;
      session.close();
      // Who takes nothing does not take the goodbye either.
      clock.after(limits.stopTimeoutMs, () => session.destroy());
    });
    if (isStopping()) session.close();
  });
  // A connection that breaks the protocol is closed by Node and concerns nobody else.
  server.on('sessionError', ignore);
  // Without a listener Node closes silent connections, also those with requests on them.
  server.on('timeout', ignore);
  return server;
}

/** Gives up an answer of which the client has taken nothing for `timeoutMs`. */
function closeStalled(stream: http2.ServerHttp2Stream, timeoutMs: number): void {
  stream.setTimeout(timeoutMs, () => {
    if (stream.writableLength > 0) stream.close(http2.constants.NGHTTP2_CANCEL);
  });
}

function bind(server: http.Server, { host, port, portFlag, tls }: ListenerOptions): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(listenError(error, { host, port, portFlag }));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      const bound = server.address() as AddressInfo;
      const shown = host.includes(':') ? `[${host}]` : host;
      resolve({ host, port: bound.port, url: `${tls ? 'https' : 'http'}://${shown}:${bound.port}` });
    });
  });
}

function ignore(): void {}
