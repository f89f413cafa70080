import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProtoWriter } from '@vivace/otlp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeSpanLoad } from '../harness/span-load.ts';
import { Asker, PART } from './asking.ts';
import type { Keeping } from './keeping.ts';
import { Ledger, type SentRequest, type SentTrace } from './ledger.ts';

/* The judge of answers, on those that are wrong in each of the ways that it is there to find. */

const SECOND = 1000;
const FOR_EVER: Keeping = { retentionMs: undefined, slackMs: 0 };

let answer: (response: ServerResponse) => void;
const http = createServer((_, response) => answer(response));
let ledger: Ledger;
let trace: SentTrace;
let requests: SentRequest[];

beforeAll(async () => {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});
afterAll(() => http.close());
beforeEach(() => {
  ledger = new Ledger(1);
  const nowMs = Date.now();
  ledger.newTrace('shop');
  trace = ledger.newTrace('shop');
  requests = [120, 60, 1].map((age) => ledger.begin('shop', [{ trace, count: 2 }], nowMs - age * SECOND));
  for (const request of requests) request.acknowledgedMs = request.startMs + 10;
});

function asker(keeping = FOR_EVER): Asker {
  const { port } = http.address() as AddressInfo;
  const server = { http: `http://127.0.0.1:${port}` };
  return new Asker({ ledger, keeping: () => keeping, server: () => server, ended: () => false });
}

/** Answers with spans of the trace by their numbers. */
function answerSpans(indices: readonly number[], extra: readonly string[] = []): void {
  const spanIds = [...indices.map((index) => ledger.spanId(trace, index)), ...extra];
  answer = (response) => response.end(encodeSpanLoad([{ traceId: trace.id, spanIds }], 1));
}

function answerJson(body: object, status = 200): void {
  answer = (response) => response.writeHead(status).end(JSON.stringify(body));
}

describe('a trace by its id', () => {
  test('is right with every span once', async () => {
    answerSpans([5, 4, 3, 2, 1, 0]);
    const right = asker();
    await right.checkTrace(trace);
    expect(right.counts).toMatchObject({ whole: { trace: 1 }, checkedSpans: 6, expiredSpans: 0 });
  });

  test('is wrong without an acknowledged span', async () => {
    answerSpans([0, 1, 2, 3, 5]);
    await expect(asker().checkTrace(trace)).rejects.toThrow(
      /^trace \w+ of shop: 1 of 6 spans: span 4 of request 2 .* is lost/,
    );
    answer = (response) => response.writeHead(404).end();
    await expect(asker().checkTrace(trace)).rejects.toThrow(/6 of 6 spans: .* is lost/);
  });

  test('is wrong with a span twice, or one that was never sent', async () => {
    answerSpans([0, 1, 2, 3, 4, 5, 3]);
    await expect(asker().checkTrace(trace)).rejects.toThrow(/span 3 .* is there twice/);
    answerSpans([0, 1, 2, 3, 4, 5], ['00112233aabbccdd']);
    await expect(asker().checkTrace(trace)).rejects.toThrow('span 00112233aabbccdd was never sent');
  });

  test('may have what was sent and not acknowledged, or not', async () => {
    (requests[2] as SentRequest).acknowledgedMs = undefined;
    for (const indices of [
      [0, 1, 2, 3],
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4, 5],
    ]) {
      answerSpans(indices);
      await asker().checkTrace(trace);
    }
  });

  test('may have what has just expired, and must not have what expired long ago', async () => {
    const keeping = { retentionMs: 30 * SECOND, slackMs: 60 * SECOND };
    for (const indices of [
      [4, 5],
      [2, 4, 5],
      [2, 3, 4, 5],
    ]) {
      answerSpans(indices);
      await asker(keeping).checkTrace(trace);
    }
    answerSpans([1, 4, 5]);
    await expect(asker(keeping).checkTrace(trace)).rejects.toThrow(/span 1 of request 0 .* is still there/);
    answerSpans([2, 3, 4]);
    await expect(asker(keeping).checkTrace(trace)).rejects.toThrow(/span 5 of request 2 .* is lost/);
  });

  test('is asked for again while it cannot be whole', async () => {
    let asked = 0;
    const whole = (response: ServerResponse) => {
      answerSpans([0, 1, 2, 3, 4, 5]);
      answer(response);
    };
    answer = (response) => {
      if (asked++ === 0) response.writeHead(503).end();
      else if (asked === 2) response.destroy();
      else whole(response);
    };
    const patient = asker();
    await patient.checkTrace(trace);
    expect(Object.fromEntries(patient.counts.notWhole)).toEqual({ 503: 1, gone: 1 });
    answer = (response) => response.writeHead(500).end('a defect');
    await expect(asker().checkTrace(trace)).rejects.toThrow(/500 a defect/);
  });
});

describe('an answer that says that it is a part, to who takes parts', () => {
  const taker = (taken: string[]) => {
    const { port } = http.address() as AddressInfo;
    return new Asker({
      ledger,
      keeping: () => FOR_EVER,
      server: () => ({ http: `http://127.0.0.1:${port}` }),
      ended: () => false,
      takesParts: true,
      patience: async (attempts) => {
        taken.push(...attempts.map(({ problem }) => problem));
        return attempts.length === 1 ? 'again' : 'enough';
      },
    });
  };
  /** TraceByIDResponse, with the reason why it is not whole. */
  const answerPart = (indices: readonly number[]) => {
    const spanIds = indices.map((index) => ledger.spanId(trace, index));
    const spans = encodeSpanLoad([{ traceId: trace.id, spanIds }], 1);
    const out = new ProtoWriter(4096);
    out.bytesField(1, spans);
    out.stringField(4, 'an ingester is away');
    const body = out.toBytes();
    answer = (response) => response.end(body);
  };

  test('may lack spans, and is asked for again', async () => {
    const taken: string[] = [];
    const asker = taker(taken);
    answerPart([0, 3]);
    await asker.checkTrace(trace);
    expect(taken).toEqual([PART, PART, PART]);
    expect(asker.counts).toMatchObject({ parts: 1, second: 0, whole: { trace: 0 } });
  });

  test('is wrong with a span twice, and with more than was sent', async () => {
    answerPart([0, 3, 0]);
    await expect(taker([]).checkTrace(trace)).rejects.toThrow(/span 0 .* is there twice/);
    answer = (response) =>
      response.writeHead(200, { 'x-vivace-partial': 'away' }).end('{"series":[{"labels":[],"value":7}],"metrics":{}}');
    await expect(taker([]).checkCount('shop', Date.now() - 200 * SECOND, Date.now())).rejects.toThrow(
      '7 spans are counted, of 6 acknowledged',
    );
  });
});

describe('a search', () => {
  const found = (id: string, matched: number) => ({
    traceID: id,
    rootServiceName: 'load',
    rootTraceName: 'load',
    startTimeUnixNano: '1',
    spanSet: { spans: [], matched },
    spanSets: [{ spans: [], matched }],
  });
  const metrics = {};

  test('is right with the traces of the request and how many spans each has', async () => {
    answerJson({ traces: [found(trace.id, 2)], metrics });
    const right = asker();
    await right.checkSearch(requests[1] as SentRequest);
    expect(right.counts.whole.search).toBe(1);
  });

  test('is wrong with fewer spans, without a trace, or with others', async () => {
    const request = requests[1] as SentRequest;
    answerJson({ traces: [found(trace.id, 1)], metrics });
    await expect(asker().checkSearch(request)).rejects.toThrow(/1 of 2 spans of trace \w+ are found/);
    answerJson({ traces: [], metrics });
    await expect(asker().checkSearch(request)).rejects.toThrow(/0 of 2 spans of trace/);
    const other = ledger.traces[0] as SentTrace;
    answerJson({ traces: [found(trace.id, 2), found(other.id, 1)], metrics });
    await expect(asker().checkSearch(request)).rejects.toThrow('traces of other requests are found');
  });
});

describe('a count', () => {
  const counted = (value: number) => answerJson({ series: [{ labels: [], value }], metrics: {} });
  const check = (of: Asker) => of.checkCount('shop', Date.now() - 100 * SECOND, Date.now());

  test('is right within what is acknowledged and what was sent', async () => {
    counted(4);
    await check(asker());
    (requests[2] as SentRequest).acknowledgedMs = undefined;
    for (const value of [2, 3, 4]) {
      counted(value);
      await check(asker());
    }
  });

  test('is wrong with a span less or more', async () => {
    for (const value of [3, 5]) {
      counted(value);
      await expect(check(asker())).rejects.toThrow(
        `${value} spans are counted, of 4 acknowledged and kept, and 4 sent`,
      );
    }
  });

  test('may be without what expired', async () => {
    const keeping = { retentionMs: 30 * SECOND, slackMs: 0 };
    for (const value of [2, 3, 4]) {
      counted(value);
      await check(asker(keeping));
    }
    counted(1);
    await expect(check(asker(keeping))).rejects.toThrow('1 spans are counted, of 2 acknowledged');
  });
});
