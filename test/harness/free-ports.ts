import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Random } from '@vivace/kernel';

/** Below the ports that systems give to connections, so that a port stays free while its process is gone. */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;
const MAX_TRIES = 200;

/** Ports at which nobody listens, each another. */
export async function freePorts(count: number, random: Random): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > count + MAX_TRIES) throw new Error('no ports are free');
    const port = FIRST_PORT + (random.u32() % (LAST_PORT - FIRST_PORT));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
