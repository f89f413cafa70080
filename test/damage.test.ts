import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeTraces } from '@vivace/otlp/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchTraceAsGrafana } from './clients/grafana-trace.ts';
import { idOf, spanId } from './fixtures/fidelity-cases.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { storedBlocks } from './harness/stored-blocks.ts';
import { fetchTrace, flush, readTrace, replayed, sendBytes } from './harness/traces-client.ts';

// Stored bytes that are not what they were: the server starts, says what it cannot read, and gives everything else.

let data: ReturnType<typeof temporaryDirectory>;
let server: TestServer | undefined;

beforeEach(() => {
  data = temporaryDirectory();
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  data.remove();
});

async function start(): Promise<TestServer> {
  server = await startServer({ dataDir: data.path });
  return server;
}

const hexOf = (name: string) => Buffer.from(idOf(name)).toString('hex');

async function send(to: TestServer, name: string): Promise<void> {
  const startTimeUnixNano = String(BigInt(Date.now()) * 1_000_000n);
  const spans = [1, 2, 3].map((number) => ({ traceId: idOf(name), spanId: spanId(number), name, startTimeUnixNano }));
  await sendBytes(to, encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

/** The trace is there and nothing is said to be missing. */
async function expectWhole(from: TestServer, name: string): Promise<void> {
  const { spans, partialMessage } = await fetchTraceAsGrafana(from.http, hexOf(name));
  expect({ spans: spans.length, partialMessage }, name).toEqual({ spans: 3, partialMessage: undefined });
}

function flipByte(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] as number) ^ 0xff;
  writeFileSync(file, bytes);
}

const middle = (file: string) => statSync(file).size >> 1;

describe('a block', () => {
  const DAMAGES: { what: string; damage: (directory: string) => void; says: RegExp }[] = [
    {
      what: 'with a flipped byte in its index',
      damage: (directory) => flipByte(path.join(directory, 'index'), middle(path.join(directory, 'index'))),
      says: /cannot be read/,
    },
    {
      what: 'with flipped bytes in its spans',
      damage: (directory) => {
        for (let at = 4; at < 400; at++) flipByte(path.join(directory, 'spans.parquet'), at);
      },
      says: /cannot be read/,
    },
    {
      what: 'whose index is cut short',
      damage: (directory) => truncateSync(path.join(directory, 'index'), 20),
      says: /cannot be read/,
    },
    {
      what: 'whose spans are gone',
      damage: (directory) => rmSync(path.join(directory, 'spans.parquet')),
      says: /is gone from the store/,
    },
  ];

  test('that is damaged is named in the answer and in the log, and other traces are whole', async () => {
    let running = await start();
    for (const { what } of DAMAGES) {
      await send(running, what);
      await flush(running);
    }
    await send(running, 'in a block of its own');
    await flush(running);
    await send(running, 'in the log');
    await running.stop();
    const blocks = storedBlocks(data.path);
    expect(blocks).toHaveLength(DAMAGES.length + 1);
    for (const [i, { damage }] of DAMAGES.entries()) damage(blocks[i]?.directory as string);

    running = await start();
    await replayed(running);
    for (const [i, { what, says }] of DAMAGES.entries()) {
      const block = blocks[i]?.id as string;
      const { partial } = await readTrace(running, hexOf(what));
      expect(partial, what).toMatch(says);
      expect(partial, what).toContain(block);
      const v1 = await fetchTrace(running, hexOf(what), 'v1', 'application/json');
      expect(v1.status, what).toBe(503);
      expect(v1.body.toString(), what).toContain(block);
      expect(running.output(), what).toMatch(new RegExp(`"level":"warn".*${block}`));
    }
    await expectWhole(running, 'in the log');
    await expectWhole(running, 'in a block of its own');
    await send(running, 'new');
    await flush(running);
    await expectWhole(running, 'new');
  });

  test('with a damaged filter makes every answer that it could be part of PARTIAL, and takes nothing from it', async () => {
    let running = await start();
    await send(running, 'one');
    await flush(running);
    const [block] = storedBlocks(data.path);
    await running.stop();
    for (let at = 0; at < 32; at++) flipByte(path.join(block?.directory as string, 'filter'), at);

    running = await start();
    await send(running, 'two');
    const { spans, partialMessage } = await fetchTraceAsGrafana(running.http, hexOf('two'));
    expect(spans).toHaveLength(3);
    expect(partialMessage).toContain(block?.id);
  });
});

describe('the log', () => {
  const segments = () =>
    readdirSync(path.join(data.path, 'wal'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.seg'))
      .sort()
      .map((name) => path.join(data.path, 'wal', name));

  test('with garbage, zero-byte and cut segments, and files of others, gives every record before the damage', async () => {
    let running = await start();
    await send(running, 'first');
    await send(running, 'second');
    const [segment] = segments();
    const sizeOfTwo = statSync(segment as string).size;
    await send(running, 'third');
    await running.kill();
    // The third is damaged within; then segments that hold nothing, and nonsense.
    flipByte(segment as string, sizeOfTwo + 40);
    const stream = path.dirname(segment as string);
    writeFileSync(path.join(stream, '00000000000000000002.seg'), '');
    writeFileSync(path.join(stream, '00000000000000000003.seg'), 'garbage '.repeat(1000));
    writeFileSync(path.join(stream, 'notes.txt'), 'not ours');
    writeFileSync(path.join(data.path, 'wal', 'notes.txt'), 'not ours');

    running = await start();
    await replayed(running);
    await expectWhole(running, 'first');
    await expectWhole(running, 'second');
    expect((await fetchTrace(running, hexOf('third'), 'v1', 'application/json')).status).toBe(404);
    expect(running.output()).toMatch(/"level":"warn".*"segment":1,"offset":\d+.*the log was damaged/);
    expect(running.output()).toMatch(/"level":"warn".*"segment":3.*the log was damaged/);
    expect(running.output()).toMatch(/"level":"warn".*notes\.txt/);
    await send(running, 'new');
    await flush(running);
    await running.stop();

    running = await start();
    await replayed(running);
    for (const name of ['first', 'second', 'new']) await expectWhole(running, name);
  });

  test('with a torn tail, as a loss of power leaves it, has every record that was acknowledged', async () => {
    let running = await start();
    await send(running, 'first');
    await send(running, 'second');
    await running.kill();
    const [segment] = segments();
    writeFileSync(segment as string, Buffer.concat([readFileSync(segment as string), Buffer.from([1, 2, 3, 4, 5])]));

    running = await start();
    await replayed(running);
    await expectWhole(running, 'first');
    await expectWhole(running, 'second');
  });
});

describe('the root of a tenant', () => {
  test('that is damaged stops no start and loses nothing: with it restored everything is there', async () => {
    let running = await start();
    await send(running, 'in a block');
    await flush(running);
    await send(running, 'in the log');
    await running.kill();
    const root = path.join(data.path, 'store/tenants/single-tenant/root');
    const kept = readFileSync(root);
    flipByte(root, middle(root));

    running = await start();
    await send(running, 'after the damage');
    const { spans, partialMessage } = await fetchTraceAsGrafana(running.http, hexOf('after the damage'));
    expect(spans).toHaveLength(3);
    expect(partialMessage).toContain('tenants/single-tenant/root');
    const v1 = await fetchTrace(running, hexOf('in a block'), 'v1', 'application/json');
    expect(v1.status).toBe(503);
    expect(v1.body.toString()).toMatch(/tenants\/single-tenant\/root.*checksum/);
    expect(running.output()).toMatch(/"level":"warn".*tenants\/single-tenant\/root/);
    expect(await running.stop()).toBe(0);
    writeFileSync(root, kept);

    running = await start();
    await replayed(running);
    await expectWhole(running, 'in the log');
    await expectWhole(running, 'in a block');
    await expectWhole(running, 'after the damage');
  });
});
