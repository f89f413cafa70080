import { decodeRawTraces, decodeShownTraces, encodeTraces, spanTexts } from '@vivace/otlp/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fetchTraceAsGrafana } from './clients/grafana-trace.ts';
import { FIDELITY_CASES, idOf, spanId } from './fixtures/fidelity-cases.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { storedBlocks } from './harness/stored-blocks.ts';
import {
  fetchTrace,
  flush,
  headBytes,
  readEveryForm,
  readTrace,
  replayed,
  sendBytes,
  type TraceForms,
} from './harness/traces-client.ts';

// Every field of every span comes back equal: from the heads, from a block, from a block by a new process, and
// from the log by a new process.

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const data = temporaryDirectory();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path });
});

afterAll(async () => {
  await server.stop();
  data.remove();
});

async function restart(): Promise<void> {
  expect(await server.stop()).toBe(0);
  server = await startServer({ dataDir: data.path });
  await replayed(server);
}

/** Equal to the byte in protobuf; in JSON with U+FFFD for what is not UTF-8. */
function expectEqual({ protobuf, json }: TraceForms, sent: Uint8Array): void {
  for (const bytes of Object.values(protobuf)) {
    expect(spanTexts(decodeRawTraces(bytes))).toEqual(spanTexts(decodeRawTraces(sent)));
  }
  for (const traces of Object.values(json)) {
    expect(spanTexts(traces)).toEqual(spanTexts(decodeShownTraces(sent)));
  }
}

describe('each thing that is easy to lose', () => {
  const sendAll = async () => {
    for (const { bytes } of FIDELITY_CASES) await sendBytes(server, bytes);
    expect(await headBytes(server)).toBeGreaterThan(0);
    expect(storedBlocks(data.path)).toHaveLength(0);
  };
  const flushAll = async () => {
    await flush(server);
    expect(await headBytes(server)).toBe(0);
    // One of spans that are dated about now, one of the others.
    expect(storedBlocks(data.path)).toHaveLength(2);
  };

  describe.each([
    { place: 'the head', before: sendAll },
    { place: 'the block that a flush has cut', before: flushAll },
    { place: 'the block, after a restart', before: restart },
  ])('from $place', ({ before }) => {
    beforeAll(before);

    test.each(FIDELITY_CASES)('$name', async ({ id, bytes, unicode }) => {
      expect((await readTrace(server, id)).partial).toBeUndefined();
      expectEqual(await readEveryForm(server, id), bytes);
      if (unicode) expect((await fetchTraceAsGrafana(server.http, id)).found).toBe(true);
    });
  });
});

describe('an id', () => {
  const half = '00000000000000000abc5e1f00d1e5e1';
  const bytes = encodeTraces({
    resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: Buffer.from(half, 'hex'), spanId: spanId(1) }] }] }],
  });

  test.each([
    { place: 'the head', before: async () => sendBytes(server, bytes) },
    { place: 'a block', before: async () => flush(server) },
  ])('of 8 bytes is found in $place by hex of any length and case', async ({ before }) => {
    await before();
    for (const text of [half, half.slice(16), 'abc5e1f00d1e5e1', '0ABC5E1F00D1E5E1', `000${half.slice(16)}`]) {
      expectEqual(await readEveryForm(server, text), bytes);
    }
  });

  test('that nobody sent is not found, and no other trace with it', async () => {
    for (const text of ['1', half.slice(17, 31), 'f'.repeat(32)]) {
      expect((await fetchTrace(server, text, 'v1', 'application/json')).status).toBe(404);
      expect(await readTrace(server, text)).toEqual({ bytes: Buffer.alloc(0), partial: undefined, inspectedBytes: 0 });
    }
  });
});

describe('a trace in several places', () => {
  const id = idOf('a trace in several places');
  const start = BigInt(Date.now()) * 1_000_000n;
  interface Version {
    end: number;
    name: string;
    kind?: number;
    offset?: number;
  }
  const request = (versions: [number, Version][]) =>
    encodeTraces({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
          scopeSpans: [
            {
              spans: versions.map(([number, { end, name, kind = 1, offset = 0 }]) => ({
                traceId: id,
                spanId: spanId(number),
                parentSpanId: number === 1 ? [] : spanId(1),
                name,
                kind,
                startTimeUnixNano: String(start + BigInt(offset)),
                endTimeUnixNano: String(start + BigInt(end)),
              })),
            },
          ],
        },
      ],
    });
  const first: [number, Version][] = [
    [1, { end: 9000, name: 'root' }],
    [2, { end: 100, name: 'only in the first block' }],
    [5, { end: 100, name: 'the same everywhere' }],
    [6, { end: 100, name: 'later wins' }],
    [7, { end: 100, name: 'of two that end together the longer wins, here' }],
    [8, { end: 100, name: 'one of' }],
    [9, { end: 100, name: 'server', kind: 2 }],
  ];
  const second: [number, Version][] = [
    [3, { end: 100, name: 'only in the second block' }],
    [5, { end: 100, name: 'the same everywhere' }],
    [6, { end: 300, name: 'the latest' }],
    [7, { end: 100, name: 'shorter' }],
    [8, { end: 100, name: 'two o' }],
    [9, { end: 100, name: 'client of the same id', kind: 3 }],
  ];
  const third: [number, Version][] = [
    [4, { end: 100, name: 'only in the head' }],
    [5, { end: 100, name: 'the same everywhere' }],
    [6, { end: 200, name: 'between' }],
    [9, { end: 100, name: 'another start', kind: 3, offset: 1 }],
  ];
  const whole = [
    'another start',
    'client of the same id',
    'of two that end together the longer wins, here',
    'only in the first block',
    'only in the head',
    'only in the second block',
    'root',
    'server',
    'the latest',
    'the same everywhere',
  ];

  const names = async () => {
    const { spans } = await fetchTraceAsGrafana(server.http, hex(id));
    return spans.map(({ name }) => name ?? '').sort(compareText);
  };
  let chosen: string;

  test('is whole over the head and two blocks, and a span that was sent again is there once', async () => {
    await sendBytes(server, request(first));
    await sendBytes(server, request([[5, { end: 100, name: 'the same everywhere' }]]));
    await flush(server);
    await sendBytes(server, request(second));
    await flush(server);
    await sendBytes(server, request(third));
    const found = await names();
    chosen = found.includes('one of') ? 'one of' : 'two o';
    expect(found).toEqual([...whole, chosen].sort(compareText));
  });

  test('is the same from three blocks, after a restart, and whatever came first', async () => {
    await flush(server);
    expect(await names()).toEqual([...whole, chosen].sort(compareText));
    await restart();
    expect(await names()).toEqual([...whole, chosen].sort(compareText));
    // In other places, the versions come in another order; the tie of equal length falls the same way.
    for (const versions of [third, second, first]) await sendBytes(server, request(versions));
    expect(await names()).toEqual([...whole, chosen].sort(compareText));
    await flush(server);
    expect(await names()).toEqual([...whole, chosen].sort(compareText));
  });
});

describe('after kill -9, from the log', () => {
  const killed = temporaryDirectory();
  let again: TestServer;

  beforeAll(async () => {
    const before = await startServer({ dataDir: killed.path });
    for (const { bytes } of FIDELITY_CASES) await sendBytes(before, bytes);
    await before.kill();
    again = await startServer({ dataDir: killed.path });
    await replayed(again);
  });

  afterAll(async () => {
    await again.stop();
    killed.remove();
  });

  test.each(FIDELITY_CASES)('$name', async ({ id, bytes }) => {
    expectEqual(await readEveryForm(again, id), bytes);
  });
});
