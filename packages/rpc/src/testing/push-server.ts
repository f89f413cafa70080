import { createByteBudget } from '@vivace/http';
import { createBufferPool, systemClock } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import { onTestFinished } from 'vitest';
import type { Callee } from '../channel-pool.ts';
import { pushMethods } from '../push-service.ts';
import { createRpcServer, type RpcServer } from '../rpc-server.ts';

export interface TestPushServer extends Callee {
  server: RpcServer;
}

/** Serves pushes to `sink` on a free port until the test has ended. */
export async function startPushServer(sink: TraceSink, maxRequestBytes = 8 * 1024 * 1024): Promise<TestPushServer> {
  const server = createRpcServer({
    host: '127.0.0.1',
    port: 0,
    methods: pushMethods(sink),
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
