import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A port that leads to another, and can be cut: what is behind it goes away and comes back at the same address. */
export interface TcpProxy {
  readonly port: number;
  /** Closes the port and every connection: who connects is refused. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Takes connections and bytes, and hands nothing on, until `up`. */
  stall(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(to: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let port = 0;
  let server: Server | undefined;
  let stalled = false;

  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const listen = async (): Promise<void> => {
    server = createServer((near) => {
      const far = connect(to.port, to.host);
      keep(near);
      keep(far);
      near.pipe(far).pipe(near);
      if (stalled) far.pause();
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const down = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    closing.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await once(closing, 'close');
  };
  const up = async (): Promise<void> => {
    stalled = false;
    for (const socket of sockets) socket.resume();
    if (server === undefined) await listen();
  };
  const stall = (): void => {
    stalled = true;
    for (const socket of sockets) socket.pause();
  };
  await listen();
  return { port, up, down, stall, close: down };
}
