import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type ChannelTls, tlsOptions } from '@vivace/http';
import { type Clock, VivaceError } from '@vivace/kernel';
import { type CallRequest, Connection } from './connection.ts';
import { ALPN } from './frames.ts';

export interface CallChannelOptions {
  host: string;
  port: number;
  tls?: ChannelTls | undefined;
  clock: Clock;
  /** For a connection, its handshake included. Default 2 s: who does not answer by then is not there. */
  connectTimeoutMs?: number;
}

/**
 * Calls to one server over one connection, which is made when it is needed and again when it is lost. Errors are those
 * of the server with their kind and code; `unavailable` where it cannot be reached or the connection breaks,
 * `deadline` when the time is over, `canceled` by the signal.
 */
export interface CallChannel {
  /** A call with one message in its answer. */
  call(request: CallRequest): Promise<Uint8Array>;
  /** The messages of an answer. They are not read faster than they are taken. */
  stream(request: CallRequest): AsyncGenerator<Uint8Array>;
  /** Resolves when the server has answered on its connection; `unavailable`, within seconds, where it does not. */
  reach(): Promise<void>;
  /** Takes no more calls; those under way end, within their time. Idempotent. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 2000;

export function createCallChannel(options: CallChannelOptions): CallChannel {
  const { host, port, clock } = options;
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  let current: Promise<Connection> | undefined;
  let closed = false;

  const connect = (): Promise<Connection> => {
    if (closed) return Promise.reject(unavailable('channel-closed', `the channel to ${address} is closed`));
    if (current !== undefined) return current;
    const forget = () => {
      if (current === made) current = undefined;
    };
    const made = openSocket(options, address).then(
      (socket) => new Connection(socket, { address, clock, onUnusable: forget }),
    );
    made.catch(forget);
    current = made;
    return made;
  };

  /** Sends a request within its time. */
  const begin = async (request: CallRequest) => {
    const deadline = clock.monotonicMs() + request.timeoutMs;
    request.signal?.throwIfAborted();
    const connection = await connect();
    request.signal?.throwIfAborted();
    const timeoutMs = Math.max(1, Math.ceil(deadline - clock.monotonicMs()));
    return connection.begin({ ...request, timeoutMs });
  };

  return {
    call: async (request) => {
      const { answer, leave } = await begin(request);
      try {
        return await answer.only();
      } finally {
        leave();
      }
    },
    stream: async function* (request) {
      const { answer, leave } = await begin(request);
      try {
        for (;;) {
          const message = await answer.next();
          if (message === undefined) return;
          yield message;
        }
      } finally {
        leave();
      }
    },
    reach: async () => {
      const connection = await connect();
      if (await connection.ping()) return;
      throw unavailable('connect-failed', `${address} cannot be reached: it does not answer`);
    },
    close: () => {
      closed = true;
      current?.then(
        (connection) => connection.close(),
        () => undefined,
      );
    },
  };
}

function openSocket(options: CallChannelOptions, address: string): Promise<Socket> {
  const { host, port, tls, clock, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connectPlain({ host, port })
        : connectTls({ ...tlsOptions(tls, host), ALPNProtocols: [ALPN], host, port });
    let reason = 'the connection was closed';
    const cancel = clock.after(connectTimeoutMs, () => {
      reason = `no connection after ${connectTimeoutMs / 1000} s`;
      socket.destroy();
    });
    const onError = (error: Error) => {
      reason = error.message;
    };
    const onClose = () => {
      cancel();
      reject(unavailable('connect-failed', `${address} cannot be reached: ${reason}`));
    };
    socket.on('error', onError);
    socket.once('close', onClose);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      cancel();
      if (tls !== undefined && (socket as TLSSocket).alpnProtocol !== ALPN) {
        reason = 'it does not take calls of Vivace';
        socket.destroy();
        return;
      }
      socket.off('close', onClose);
      resolve(socket);
    });
  });
}

function unavailable(code: string, message: string): VivaceError {
  return new VivaceError('unavailable', code, message);
}
