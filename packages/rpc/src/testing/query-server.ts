import { type QueryServing, queryMethods } from '../query-service.ts';
import { startTestServer, type TestRpcServer } from './test-server.ts';

/** Serves queries as a querier does, until the test has ended; default: on a free port. */
export function startQueryServer(querier: QueryServing, port = 0): Promise<TestRpcServer> {
  return startTestServer({ calls: queryMethods(querier) }, { port });
}
