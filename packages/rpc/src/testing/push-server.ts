import type { TraceSink } from '@vivace/otlp';
import { pushMethods } from '../push-service.ts';
import { startTestServer, type TestRpcServer } from './test-server.ts';

/** Serves pushes to `sink` on a free port until the test has ended. */
export function startPushServer(sink: TraceSink, maxRequestBytes?: number): Promise<TestRpcServer> {
  return startTestServer({ methods: pushMethods(sink) }, maxRequestBytes === undefined ? {} : { maxRequestBytes });
}
