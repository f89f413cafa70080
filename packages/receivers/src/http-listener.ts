import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { answerClientError, isRequestTimeout } from '@vivace/http';
import { type Clock, listenError } from '@vivace/kernel';
import type { TlsOptions } from './tls-options.ts';

export interface HttpListenerOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  tls?: TlsOptions;
  clock: Clock;
  /** How long a client may take for the head of a request. Default 10 s: they are small. */
  headersTimeoutMs?: number;
  /** How long a client may take for a whole request. Default 25 s: a Collector gives up by itself after 30. */
  requestTimeoutMs?: number;
  /** How long a connection may idle between requests. Default 75 s: longer than load balancers keep theirs. */
  keepAliveTimeoutMs?: number;
  /** Connections at one time; more are closed at once. Default 10,000: below the usual limit of open files. */
  maxConnections?: number;
  /** How long `stop` waits for requests under way. Default 10 s: within Kubernetes' 30 s. */
  stopTimeoutMs?: number;
}

export interface HttpListener {
  start(): Promise<void>;
  /** Accepts nothing new, waits for what is under way, then closes what is left. */
  stop(): Promise<void>;
  readonly stopping: boolean;
  address(): { host: string; port: number };
}

export const DEFAULT_REQUEST_TIMEOUT_MS = 25_000;

/** What a listener calls. */
export interface HttpHandlers {
  /** Also called for `Expect: 100-continue`, with `expectsContinue`: it calls `writeContinue` when it wants the body. */
  onRequest: (request: http.IncomingMessage, response: http.ServerResponse, expectsContinue: boolean) => void;
  /** A request was not there in time. Nobody else looks after the connection; `refuse` answers with 408 and ends it. */
  onLate: (socket: Socket, refuse: () => void) => void;
}

/** How often a stopping server looks for connections that have become idle. */
const SWEEP_MS = 50;

/** A node:http server with every timeout set. */
export function createHttpListener(options: HttpListenerOptions, handlers: HttpHandlers): HttpListener {
  const { host, port, tls, clock } = options;
  const settings: http.ServerOptions = {
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    requestTimeout: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 75_000,
    // Timeouts are only looked at this often.
    connectionsCheckingInterval: Math.min(2_000, Math.ceil((options.headersTimeoutMs ?? 10_000) / 2)),
    noDelay: true,
  };
  const server =
    tls === undefined
      ? http.createServer(settings)
      : https.createServer({
          ...settings,
          cert: tls.cert,
          key: tls.key,
          minVersion: 'TLSv1.2',
          ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        });
  server.maxConnections = options.maxConnections ?? 10_000;
  server.on('request', (request, response) => handlers.onRequest(request, response, false));
  server.on('checkContinue', (request, response) => handlers.onRequest(request, response, true));
  server.on('clientError', (error, socket: Socket) => {
    const refuse = () => answerClientError(error, socket);
    if (isRequestTimeout(error)) handlers.onLate(socket, refuse);
    else refuse();
  });
  let stopped: Promise<void> | undefined;

  const close = async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const cancelDeadline = clock.after(options.stopTimeoutMs ?? 10_000, () => server.closeAllConnections());
    // A connection that was busy when the server closed may become idle later, and nobody else looks then.
    let cancelSweep = () => {};
    const sweep = () => {
      server.closeIdleConnections();
      cancelSweep = clock.after(SWEEP_MS, sweep);
    };
    sweep();
    await closed;
    cancelDeadline();
    cancelSweep();
  };

  return {
    start: () =>
      new Promise((resolve, reject) => {
        const onError = (error: Error) => reject(listenError(error, { host, port, portFlag: '--otlp-http-port' }));
        server.once('error', onError);
        server.listen(port, host, () => {
          server.off('error', onError);
          resolve();
        });
      }),
    stop: () => (stopped ??= close()),
    get stopping() {
      return stopped !== undefined;
    },
    address: () => {
      const address = server.address() as AddressInfo;
      return { host: address.address, port: address.port };
    },
  };
}
