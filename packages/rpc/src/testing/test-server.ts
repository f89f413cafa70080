import { createByteBudget } from '@vivace/http';
import { createBufferPool, systemClock } from '@vivace/kernel';
import { onTestFinished } from 'vitest';
import type { Callee } from '../channel-pool.ts';
import { createRpcServer, type RpcServer, type RpcServerOptions } from '../rpc-server.ts';

export interface TestRpcServer extends Callee {
  server: RpcServer;
}

/** Serves calls until the test has ended; default: on a free port. */
export async function startTestServer(
  { methods = new Map(), calls = new Map() }: Partial<Pick<RpcServerOptions, 'methods' | 'calls'>>,
  { maxRequestBytes = 8 * 1024 * 1024, port: onPort = 0 } = {},
): Promise<TestRpcServer> {
  const server = createRpcServer({
    host: '127.0.0.1',
    port: onPort,
    methods,
    calls,
    memory: { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(8 * maxRequestBytes) },
    maxRequestBytes,
    clock: systemClock,
    onError: () => undefined,
    stopTimeoutMs: 500,
  });
  await server.start({ signal: AbortSignal.timeout(5000) });
  onTestFinished(() => server.stop());
  const { port } = server.address;
  return { server, address: `127.0.0.1:${port}`, host: '127.0.0.1', port };
}
