import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { sendBytes } from './harness/traces-client.ts';

// A process traces its work into another one, which is asked for it.

const data = temporaryDirectory();
let keeper: TestServer;
let worker: TestServer;

beforeAll(async () => {
  keeper = await startServer({ dataDir: `${data.path}/keeper` });
  const env = { VIVACE_TRACING_OTLP_ENDPOINT: keeper.otlpHttp, VIVACE_TRACING_SAMPLE_ONE_IN: '1' };
  worker = await startServer({ dataDir: `${data.path}/worker`, env });
});

afterAll(async () => {
  await Promise.all([keeper.kill(), worker.kill()]);
  data.remove();
});

test('pushes and queries of a process are spans elsewhere, and a stop loses none', async () => {
  await sendBytes(worker, encodePlainSpans([{ trace: 'a1', span: 'b1', startMs: Date.now() - 1000 }]));
  const query = encodeURIComponent('{}');
  for (const asked of [`/api/v2/traces/${'a1'.padStart(32, '0')}`, `/api/search?q=${query}`, '/api/v2/search/tags']) {
    expect((await fetch(`${worker.http}${asked}`)).status, asked).toBe(200);
  }
  expect(await worker.stop(), worker.output()).toBe(0);
  const wanted = encodeURIComponent('{ resource.service.name = "vivace" && resource.vivace.target = "all" }');
  const answer = await fetch(`${keeper.http}/api/search?q=${wanted}&limit=100`);
  const { traces } = (await answer.json()) as { traces: { rootTraceName: string }[] };
  const names = traces.map(({ rootTraceName }) => rootTraceName).sort();
  expect(names).toEqual(['find trace', 'push', 'search', 'tags']);
  const page = await (await fetch(`${keeper.http}/metrics`)).text();
  // The keeper traces nothing.
  expect(page).not.toContain('vivace_own_spans_total');
});
