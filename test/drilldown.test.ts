import { describeDrilldown, drilldownRequest, drilldownSpans } from '@vivace/api/testing';
import { afterAll, beforeAll, describe } from 'vitest';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

// Every query of Grafana's Traces Drilldown against a server. Half of the traces are in a block, a quarter in the head,
// and the last quarter have a part in each.

const data = temporaryDirectory();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path });
  const inBlock = drilldownSpans.filter(({ trace, number }) => trace % 4 < 2 || (trace % 4 === 2 && number === 2));
  await sendBytes(server, drilldownRequest(inBlock));
  await flush(server);
  await sendBytes(server, drilldownRequest(drilldownSpans.filter((span) => !inBlock.includes(span))));
});
afterAll(async () => {
  await server.stop();
  data.remove();
});

describe('Traces Drilldown', () => {
  describeDrilldown(() => server.http);
});
