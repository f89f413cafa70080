import { type HeadsServing, headsMethods } from '../heads-service.ts';
import { startTestServer, type TestRpcServer } from './test-server.ts';

/** Serves heads as an ingester does, on a free port until the test has ended. */
export function startHeadsServer(heads: HeadsServing): Promise<TestRpcServer> {
  return startTestServer({ calls: headsMethods(heads) });
}
