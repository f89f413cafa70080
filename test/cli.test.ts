import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodePlainSpans, type PlainSpan } from './harness/plain-spans.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { storedBlocks } from './harness/stored-blocks.ts';
import { flush, replayed, sendBytes } from './harness/traces-client.ts';

// The command line beside a server that runs, and after one that lost its root.

const MAIN = fileURLToPath(new URL('../packages/vivace/src/cli/main.ts', import.meta.url));
const ROOT = 'store/tenants/single-tenant/root';

let data: ReturnType<typeof temporaryDirectory>;
let server: TestServer;

beforeEach(async () => {
  data = temporaryDirectory();
  server = await startServer({ dataDir: data.path });
});
afterEach(async () => {
  await server.kill();
  data.remove();
});

async function run(...argv: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, ...said };
}

const spans = (count: number, from = 0): PlainSpan[] =>
  Array.from({ length: count }, (_, i) => ({
    trace: `a${(from + i) % 20}`,
    span: `${from + i + 1}`,
    ...((from + i) % 20 !== from + i && { parent: `${((from + i) % 20) + 1}` }),
    name: `operation ${i % 4}`,
    kind: 2,
    startMs: Date.now() - 60_000 + i,
    durationMs: 5,
    attributes: { 'order.id': from + i },
  }));

interface Found {
  traces?: { traceID: string }[];
}

/** Without what reading cost. */
async function searched(...argv: string[]): Promise<Found['traces']> {
  const { status, stdout, stderr } = await run('search', '{ span.order.id >= 0 }', '--json', '--limit', '100', ...argv);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return (JSON.parse(stdout) as Found).traces;
}

test('searches and traces from the store are those of the server beside which it is read', {
  timeout: 240_000,
}, async () => {
  await sendBytes(server, encodePlainSpans(spans(200)));
  await flush(server);
  await sendBytes(server, encodePlainSpans(spans(100, 200)));
  await flush(server);
  const fromStore = await searched('--data-dir', data.path);
  expect(fromStore).toHaveLength(20);
  expect(fromStore).toEqual(await searched('--url', server.http));
  for (const id of ['a7']) {
    const store = await run('trace', 'get', id, '--json', '--data-dir', data.path);
    const other = await run('trace', 'get', id, '--json', '--url', server.http);
    expect([store.status, other.status]).toEqual([0, 0]);
    const trace = ({ stdout }: typeof store) => (JSON.parse(stdout) as { trace: unknown }).trace;
    expect(trace(store)).toEqual(trace(other));
  }
  const tree = await run('trace', 'get', 'a7', '--data-dir', data.path);
  expect(tree.stdout).toMatch(/^15 spans, 1 services, /);
  expect(tree.stdout.split('\n')[2]).toMatch(/ms {4}\S+: operation/);
  const table = await run('search', '{ span.order.id = 7 }', '--data-dir', data.path);
  expect(table.stdout).toMatch(/TRACE[^]*a7 /);
  const absent = await run('trace', 'get', 'ffff', '--data-dir', data.path);
  expect(absent).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('no such trace') as string });
  const wrong = await run('search', '{ nonsense', '--data-dir', data.path);
  expect(wrong).toMatchObject({ status: 1, stdout: '' });
});

test('the log is shown beside the server that writes it, with what blocks cover', async () => {
  await sendBytes(server, encodePlainSpans(spans(10)));
  await flush(server);
  await sendBytes(server, encodePlainSpans(spans(10, 10)));
  const { status, stdout } = await run('wal', 'show', '--json', '--data-dir', data.path);
  expect(status).toBe(0);
  const { streams } = JSON.parse(stdout) as { streams: { segments: { covered: Record<string, boolean> }[] }[] };
  const covered = streams.flatMap(({ segments }) => segments.flatMap(({ covered: of }) => Object.values(of)));
  expect(covered).toContain(false);
  expect((await run('wal', 'show', '--data-dir', data.path)).stdout).toContain('single-tenant');
});

test('after its root was lost a store answers as before, once the root is made again', {
  timeout: 240_000,
}, async () => {
  await sendBytes(server, encodePlainSpans(spans(200)));
  await flush(server);
  await sendBytes(server, encodePlainSpans(spans(100, 200)));
  await flush(server);
  // Acknowledged, and in no block: the log has it, and nothing says that blocks do not.
  await sendBytes(server, encodePlainSpans(spans(60, 300)));
  const before = await searched('--url', server.http);
  expect(storedBlocks(data.path)).toHaveLength(2);
  expect(await server.stop()).toBe(0);
  rmSync(path.join(data.path, ROOT));
  const rebuilt = await run('manifest', 'rebuild', '--tenant', 'single-tenant', '--write', '--data-dir', data.path);
  expect(rebuilt.status).toBe(0);
  server = await startServer({ dataDir: data.path });
  await replayed(server);
  expect(await searched('--url', server.http)).toEqual(before);
  // Also when what is left of the log is cut into blocks again.
  await flush(server);
  expect(await searched('--url', server.http)).toEqual(before);
});
