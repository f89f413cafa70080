import { randomInt } from 'node:crypto';
import { decodeRawTraces, encodeTraces, type PlainTraces, spanTexts, tracesArbitrary } from '@vivace/otlp/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { spanId } from './fixtures/fidelity-cases.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { fetchTrace, flush, readTrace, replayed, sendBytes } from './harness/traces-client.ts';

const TRACES = 240;
const TRACES_A_REQUEST = 30;

const seed = Number(process.env.VIVACE_TEST_SEED ?? randomInt(2 ** 31));
console.log(`random traces: VIVACE_TEST_SEED=${seed}`);

// oxlint-disable-next-line typescript/no-explicit-any -- generated OTLP is walked by name
type Plain = any;

interface RandomTrace {
  id: string;
  traces: PlainTraces;
  spans: number;
}

/** Makes one trace of whatever was generated: all spans get its id, and each an id of its own. */
function oneTrace(traces: Plain, number: number): RandomTrace {
  const traceId = new Uint8Array(16);
  new DataView(traceId.buffer).setUint32(0, seed);
  new DataView(traceId.buffer).setUint32(12, number + 1);
  let spans = 0;
  for (const resource of traces.resourceSpans ?? []) {
    for (const scope of resource.scopeSpans ?? []) {
      for (const span of scope.spans ?? []) {
        Object.assign(span, { traceId, spanId: spanId(++spans) });
        // Some parents are in the trace.
        if (spans > 1 && spans % 3 === 0) span.parentSpanId = spanId(spans >> 1);
      }
    }
  }
  return { id: Buffer.from(traceId).toString('hex'), traces, spans };
}

const samples = fc.sample(tracesArbitrary, { seed, numRuns: TRACES }).map(oneTrace);

/** With few columns almost every attribute is in overflow; with small pages and groups traces go over their ends. */
const SHAPES = [
  { shape: 'the defaults', env: {} },
  {
    shape: 'six attribute columns and the smallest pages',
    env: {
      VIVACE_LIMITS_MAX_ATTRIBUTE_COLUMNS: '6',
      VIVACE_STORAGE_TRACE_BLOCK_ROW_GROUP_ROWS: '1024',
      VIVACE_STORAGE_TRACE_BLOCK_PAGE_ROWS: '256',
      VIVACE_STORAGE_TRACE_BLOCK_SINGLE_OBJECT_MAX_BYTES: '8MiB',
    },
  },
];

describe.each(SHAPES)(`${TRACES} random traces, with $shape`, ({ env }) => {
  const data = temporaryDirectory();
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({ dataDir: data.path, env });
  });
  afterAll(async () => {
    await server.stop();
    data.remove();
  });

  test('come back equal from the head', async () => {
    for (let at = 0; at < samples.length; at += TRACES_A_REQUEST) {
      const batch = samples.slice(at, at + TRACES_A_REQUEST);
      const resourceSpans = batch.flatMap(({ traces }) => (traces.resourceSpans as object[] | undefined) ?? []);
      await sendBytes(server, encodeTraces({ resourceSpans }), { encoding: at % 60 === 0 ? 'gzip' : 'zstd' });
    }
    await expectAll(server);
  });

  test('come back equal from a block', async () => {
    await flush(server);
    await expectAll(server);
  });

  test('come back equal after a restart', async () => {
    expect(await server.stop()).toBe(0);
    server = await startServer({ dataDir: data.path, env });
    await replayed(server);
    await expectAll(server);
  });
});

async function expectAll(server: TestServer): Promise<void> {
  for (const { id, traces, spans } of samples) {
    if (spans === 0) {
      expect((await fetchTrace(server, id, 'v1', 'application/json')).status).toBe(404);
      continue;
    }
    const { bytes, partial } = await readTrace(server, id);
    const sent = decodeRawTraces(encodeTraces(traces));
    expect({ partial, spans: spanTexts(decodeRawTraces(bytes)) }).toEqual({
      partial: undefined,
      spans: spanTexts(sent),
    });
  }
}
