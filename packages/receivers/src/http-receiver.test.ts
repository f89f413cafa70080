import http from 'node:http';
import net from 'node:net';
import zlib from 'node:zlib';
import { SINGLE_TENANT, systemClock, VivaceError } from '@vivace/kernel';
import { decodeTraces, encodeTraces } from '@vivace/otlp/testing';
import { compressFrameSync } from 'lz4-napi';
import { compressSync } from 'snappy';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpReceiver, type HttpReceiver, type HttpReceiverOptions } from './index.ts';
import { createTestMemory, createTestOptions } from './testing.ts';

const MAX = 1024 * 1024;
const traces = {
  resourceSpans: [
    { scopeSpans: [{ spans: [{ traceId: Array(16).fill(7), spanId: Array(8).fill(9), name: 'GET /' }] }] },
  ],
};
const protobuf = encodeTraces(traces);
const json = JSON.stringify({
  resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '07'.repeat(16), spanId: '09'.repeat(8), name: 'GET /' }] }] }],
});

let receiver: HttpReceiver | undefined;
afterEach(async () => receiver?.stop());

async function started(changes: Omit<Partial<HttpReceiverOptions>, 'sink' | 'metrics'> = {}) {
  const options = { ...createTestOptions(MAX), ...changes };
  receiver = createHttpReceiver(options);
  await receiver.start({ signal: AbortSignal.timeout(5000) });
  const port = receiver.address().port;
  return { ...options, port, url: `http://127.0.0.1:${port}/v1/traces` };
}

function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/x-protobuf', ...headers } });
}

/** Everything a server says to raw bytes until it closes, or until `untilText` was said. */
function raw(port: number, bytes: string | Uint8Array, untilText?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
      if (untilText !== undefined && said.includes(untilText)) {
        socket.destroy();
        resolve(said);
      }
    });
    socket.on('error', reject).on('close', () => resolve(said));
  });
}

describe('the OTLP/HTTP receiver', () => {
  it('pushes a protobuf body as it came and answers with an empty response', async () => {
    const { sink, url, memory, metrics } = await started();
    const answer = await post(url, protobuf);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-protobuf');
    expect((await answer.arrayBuffer()).byteLength).toBe(0);
    expect(sink.pushes).toHaveLength(1);
    expect(sink.pushes[0]?.tenant).toBe(SINGLE_TENANT);
    expect(Buffer.from(sink.pushes[0]?.bytes as Uint8Array).equals(protobuf)).toBe(true);
    expect(memory.budget.usedBytes).toBe(0);
    expect(memory.pool.bytesInUse).toBe(0);
    expect(metrics.values).toEqual(
      new Map([
        ['receivedBytes{http}', protobuf.length],
        ['requests{http,200}', 1],
      ]),
    );
    expect(metrics.times).toEqual([['http', expect.closeTo(0, 0)]]);
  });

  it('turns JSON into the same protobuf and answers in JSON', async () => {
    const { sink, url } = await started();
    const answer = await post(url, json, { 'content-type': 'application/json; charset=utf-8' });
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'application/json',
      '{}',
    ]);
    expect(decodeTraces(sink.pushes[0]?.bytes as Uint8Array)).toEqual(decodeTraces(protobuf));
  });

  it.each([
    ['gzip', zlib.gzipSync],
    ['zlib', zlib.deflateSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['zstd', zlib.zstdCompressSync],
    ['snappy', compressSync],
    ['lz4', (b: Uint8Array) => compressFrameSync(Buffer.from(b))],
  ])('inflates %s, of protobuf and of JSON', async (encoding, compress) => {
    const { sink, url, memory } = await started();
    const headers = { 'content-encoding': encoding };
    expect((await post(url, new Uint8Array(compress(protobuf)), headers)).status).toBe(200);
    const type = { ...headers, 'content-type': 'application/json' };
    expect((await post(url, new Uint8Array(compress(Buffer.from(json))), type)).status).toBe(200);
    expect(sink.pushes.map(({ bytes }) => decodeTraces(bytes))).toEqual([
      decodeTraces(protobuf),
      decodeTraces(protobuf),
    ]);
    expect(memory.pool.bytesInUse).toBe(0);
  });

  it('takes bodies in chunks without a length, however they are cut', async () => {
    const { sink, port } = await started();
    const large = encodeTraces({ resourceSpans: [{ schemaUrl: 'x'.repeat(700_000) }] });
    const status = await new Promise((resolve, reject) => {
      const request = http.request(
        { port, path: '/v1/traces', method: 'POST', headers: { 'content-type': 'application/x-protobuf' } },
        (response) => response.resume().on('end', () => resolve(response.statusCode)),
      );
      request.on('error', reject);
      for (let at = 0; at < large.length; at += 70_001) request.write(large.subarray(at, at + 70_001));
      request.end();
    });
    expect(status).toBe(200);
    expect(Buffer.from(sink.pushes[0]?.bytes as Uint8Array).equals(large)).toBe(true);
  });

  it('answers an empty request with success and pushes nothing', async () => {
    const { sink, url } = await started();
    expect((await post(url, new Uint8Array(0))).status).toBe(200);
    expect((await post(url, '{}', { 'content-type': 'application/json' })).status).toBe(200);
    expect(sink.pushes).toHaveLength(0);
  });

  it('says what of a request was left out, in both encodings', async () => {
    const { sink, url } = await started();
    sink.answer = async () => ({ acceptedSpans: 1, rejectedSpans: 2, firstReason: 'span id is all zero' });
    const inJson = await post(url, json, { 'content-type': 'application/json' });
    expect([inJson.status, await inJson.json()]).toEqual([
      200,
      { partialSuccess: { rejectedSpans: '2', errorMessage: 'span id is all zero' } },
    ]);
    const inProto = await post(url, protobuf);
    expect(Buffer.from(await inProto.arrayBuffer()).toString('latin1')).toBe(
      '\n\u0017\b\u0002\u0012\u0013span id is all zero',
    );
  });

  it.each([
    ['GET', '/v1/traces', 'application/json', 405, '405 method not allowed, supported: [POST]'],
    ['OPTIONS', '/v1/traces', 'application/json', 405, '405 method not allowed, supported: [POST]'],
    [
      'POST',
      '/v1/traces',
      'text/plain',
      415,
      '415 unsupported media type, supported: [application/json, application/x-protobuf]',
    ],
    ['POST', '/v1/logs', 'application/json', 404, '404 page not found\n'],
    ['POST', '/v1/traces?a=b', 'application/json', 200, '{}'],
  ])('%s %s with %s is %i', async (method, path, type, status, text) => {
    const { port } = await started();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { 'content-type': type },
      ...(method === 'POST' ? { body: '{}' } : {}),
    });
    expect([answer.status, await answer.text()]).toEqual([status, text]);
  });

  it.each([
    [{ 'content-encoding': 'br' }, 400, 3, 'unsupported Content-Encoding: br'],
    [{ 'content-encoding': 'gzip' }, 400, 3, 'the body is not gzip: incorrect header check'],
    [{}, 400, 3, 'malformed OTLP JSON: expected an object (TracesData), at byte 0'],
  ])('refuses a body that is not what its headers %j say', async (headers, status, code, message) => {
    const { sink, url } = await started();
    const answer = await post(url, 'nonsense', { 'content-type': 'application/json', ...headers });
    expect([answer.status, await answer.json()]).toEqual([status, { code, message }]);
    expect(sink.pushes).toHaveLength(0);
  });

  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2.500s' };
  it.each([
    [new VivaceError('data', 'protobuf', 'malformed'), 400, null, { code: 3, message: 'malformed' }],
    [
      new VivaceError('limited', 'rate', 'slow down', { retryAfterMs: 2500 }),
      429,
      '3',
      { code: 8, message: 'slow down', details: [retry] },
    ],
    [new VivaceError('limited', 'rate', 'too much'), 429, null, { code: 8, message: 'too much' }],
    [new VivaceError('unavailable', 'log', 'disk full'), 503, '1', { code: 14, message: 'disk full' }],
    [new VivaceError('deadline', 'log', 'too slow'), 503, '1', { code: 14, message: 'too slow' }],
    [
      new TypeError('x is undefined'),
      503,
      '1',
      { code: 14, message: 'internal error: the server has logged it; try again' },
    ],
  ])('tells the client of %s with %i and Retry-After %s', async (error, status, retryAfter, body) => {
    const { sink, url, defects, memory } = await started();
    sink.answer = () => Promise.reject(error);
    const answer = await post(url, json, { 'content-type': 'application/json' });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter]);
    expect(await answer.json()).toMatchObject(body);
    expect(defects.length).toBe(error instanceof TypeError ? 1 : 0);
    expect(memory.pool.bytesInUse).toBe(0);
    const inProto = await post(url, protobuf);
    expect([inProto.status, inProto.headers.get('content-type')]).toEqual([status, 'application/x-protobuf']);
    expect(Buffer.from(await inProto.arrayBuffer())[1]).toBe(body.code);
  });

  describe('with multi-tenancy', () => {
    it.each([
      [undefined, 401, 16],
      ['a|b', 400, 3],
      ['bad/tenant', 400, 3],
      ['..', 400, 3],
      ['x'.repeat(151), 400, 3],
      ['team-a', 200, undefined],
    ])('answers a write for tenant %s with %i', async (tenant, status, code) => {
      const { sink, url } = await started({ multitenancy: true });
      const headers = {
        'content-type': 'application/json',
        ...(tenant === undefined ? {} : { 'X-Scope-OrgID': tenant }),
      };
      const answer = await post(url, json, headers);
      expect([answer.status, ((await answer.json()) as { code?: number }).code]).toEqual([status, code]);
      expect(sink.pushes.map((push) => push.tenant)).toEqual(status === 200 ? [tenant] : []);
    });
  });

  describe('keeps to its limits', () => {
    it('refuses a declared length over the limit at once, and one in chunks when it gets there', async () => {
      const { url, port, memory } = await started();
      expect((await post(url, new Uint8Array(MAX + 1))).status).toBe(413);
      const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n';
      expect(await raw(port, `${head}Content-Length: 99999999999\r\n\r\n`, '413')).toContain('413');
      const chunk = `${(128 * 1024).toString(16)}\r\n${'x'.repeat(128 * 1024)}\r\n`;
      expect(await raw(port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`, '413')).toContain('413');
      expect(memory.pool.bytesInUse).toBe(0);
      expect(memory.budget.usedBytes).toBe(0);
    });

    it('refuses bombs: 413 for a small body that inflates to gigabytes or declares them', async () => {
      const { url, memory } = await started();
      const bomb = zlib.gzipSync(Buffer.alloc(256 * MAX), { level: 9 });
      expect(bomb.length).toBeLessThan(MAX);
      expect((await post(url, new Uint8Array(bomb), { 'content-encoding': 'gzip' })).status).toBe(413);
      const liar = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]);
      expect((await post(url, liar, { 'content-encoding': 'snappy' })).status).toBe(413);
      expect(memory.pool.bytesInUse).toBe(0);
    });

    it('answers 503 before it reads a body that does not fit in memory with those under way', async () => {
      const { url, port, sink } = await started({ memory: createTestMemory(MAX + 10) });
      let release = () => {};
      sink.answer = () => new Promise((resolve) => (release = () => resolve({ acceptedSpans: 1, rejectedSpans: 0 })));
      const held = post(url, new Uint8Array(MAX).fill(1));
      while (sink.pushes.length === 0) await systemClock.sleep(5);
      const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n';
      const answer = await raw(port, `${head}Content-Length: 1000\r\n\r\n`, '}]}');
      expect(answer).toContain('503');
      expect(answer).toContain('retry-after: 1');
      expect(answer).not.toContain('100 Continue');
      release();
      expect((await held).status).toBe(200);
      sink.answer = async () => ({ acceptedSpans: 1, rejectedSpans: 0 });
      expect((await post(url, json, { 'content-type': 'application/json' })).status).toBe(200);
    });

    it('asks for the body of a client that waits to be asked', async () => {
      const { port, sink } = await started();
      const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n';
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1', () =>
          socket.write(`${head}Content-Length: ${json.length}\r\n\r\n`),
        );
        let said = '';
        socket.on('error', reject).on('data', (data) => {
          said += data.toString();
          if (said.endsWith('100 Continue\r\n\r\n')) socket.write(json);
          if (said.endsWith('{}')) {
            socket.destroy();
            resolve(said);
          }
        });
      });
      expect(answer).toContain('HTTP/1.1 200 OK');
      expect(sink.pushes).toHaveLength(1);
    });
  });

  describe('copes with clients that', () => {
    const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n';
    const quick = { headersTimeoutMs: 300, requestTimeoutMs: 600 };

    it('leave in the middle of a body: everything is given back and nothing is pushed', async () => {
      const { port, sink, memory, metrics } = await started();
      for (const framing of ['Content-Length: 5000\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n']) {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(head + framing));
        while (memory.pool.bytesInUse === 0) await systemClock.sleep(2);
        socket.destroy();
        while (memory.pool.bytesInUse > 0) await systemClock.sleep(2);
      }
      expect(memory.budget.usedBytes).toBe(0);
      expect(sink.pushes).toHaveLength(0);
      expect(metrics.values.get('requests{http,canceled}')).toBe(2);
    });

    it('leave before the answer: the sink’s signal says so', async () => {
      const { port, sink, memory } = await started();
      sink.answer = (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      const socket = net.connect(port, '127.0.0.1', () => socket.write(`${head}Content-Length: 3\r\n\r\nabc`));
      while (sink.pushes.length === 0) await systemClock.sleep(2);
      socket.destroy();
      while (memory.pool.bytesInUse > 0) await systemClock.sleep(2);
      expect(sink.pushes[0]?.signal.aborted).toBe(true);
    });

    it('send their head too slowly: the connection is closed in time', async () => {
      const { port } = await started(quick);
      const before = performance.now();
      for (const text of await Promise.all([raw(port, head), raw(port, 'PO'), raw(port, '')])) {
        expect(text).toMatch(/^HTTP\/1\.1 408/);
      }
      expect(performance.now() - before).toBeLessThan(5000);
    });

    it.each([
      ['a length', 'Content-Length: 50\r\n\r\nabc'],
      ['chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
      ['nothing of it', 'Content-Length: 50\r\n\r\n'],
    ])(
      'send their body too slowly, with %s: 503 says that they may try again, and the connection is closed',
      async (_, rest) => {
        const { port, sink, memory, metrics } = await started(quick);
        const before = performance.now();
        const [inProto, inJson] = await Promise.all([
          raw(port, head + rest),
          raw(port, head.replace('x-protobuf', 'json') + rest),
        ]);
        expect(performance.now() - before).toBeLessThan(6000);
        const message = 'the body of the request was not there after 0.6 s: send it again';
        for (const text of [inProto, inJson]) {
          expect(text).toMatch(/^HTTP\/1\.1 503/);
          expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
          expect(text).toContain('\r\nretry-after: 1\r\n');
        }
        expect(inProto).toContain('content-type: application/x-protobuf');
        expect(inProto.slice(inProto.indexOf('\r\n\r\n') + 4)).toContain(`\b\u000e\u0012@${message}`);
        expect(JSON.parse(inJson.slice(inJson.indexOf('\r\n\r\n') + 4))).toMatchObject({ code: 14, message });
        expect([memory.pool.bytesInUse, memory.budget.usedBytes, sink.pushes.length]).toEqual([0, 0, 0]);
        expect(metrics.values.get('requests{http,503}')).toBe(2);
      },
    );

    it('send one whole request and half of the next in one piece: the one is taken, the other may come again', async () => {
      const { port, sink } = await started(quick);
      const said = await raw(port, `${head}Content-Length: 3\r\n\r\nabc${head}Content-Length: 50\r\n\r\nabc`);
      expect(said.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503']);
      expect(sink.pushes).toHaveLength(1);
    });

    it('send one byte after another: they are cut off all the same', async () => {
      const { port, memory } = await started(quick);
      const socket = net.connect(port, '127.0.0.1');
      socket.write(`${head}Content-Length: 50000\r\n\r\n`);
      let said = '';
      socket.on('data', (data) => (said += data.toString('latin1'))).on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const before = performance.now();
      while (!socket.destroyed && performance.now() - before < 6000) {
        socket.write('x');
        await systemClock.sleep(20);
      }
      await closed;
      expect(performance.now() - before).toBeLessThan(6000);
      expect(said).toMatch(/^HTTP\/1\.1 503/);
      expect(memory.pool.bytesInUse).toBe(0);
    });

    it('waited for a process that was held up: what lies in their sockets is read, however late', async () => {
      const { port, sink, memory } = await started(quick);
      const said = ['', ''];
      const sockets = said.map((_, i) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.on('data', (data) => (said[i] += data.toString('latin1')));
        return socket;
      });
      const [open, fresh] = sockets as [net.Socket, net.Socket];
      open.write(`${head}Content-Length: 900000\r\n\r\nabc`);
      while (memory.pool.bytesInUse === 0) await systemClock.sleep(2);
      // What fits is in the system's hands when the writes return, more than a turn of the event loop reads; and nothing
      // of this process runs for a while.
      open.write('x'.repeat(899_997));
      fresh.write(`${head}Content-Length: 3\r\n\r\nabc`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
      while (said.some((text) => text === '')) await systemClock.sleep(5);
      for (const text of said) expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
      expect(sink.pushes.map(({ bytes }) => bytes.length).toSorted((a, b) => a - b)).toEqual([3, 900_000]);
      // Nobody cuts them off afterwards.
      await systemClock.sleep(1500);
      fresh.write(`${head}Content-Length: 3\r\n\r\nabc`);
      while (sink.pushes.length < 3) await systemClock.sleep(5);
      for (const socket of sockets) socket.destroy();
    });

    it('send several requests on one connection', async () => {
      const { port, sink } = await started();
      const one = `${head}Content-Length: 3\r\n\r\nabc`;
      const said = await raw(port, one + one + one.replace('Host: x', 'Host: x\r\nConnection: close'));
      expect(said.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
      expect(sink.pushes).toHaveLength(3);
    });
  });

  it('answers what is under way when it is stopped, and takes nothing new', async () => {
    const { url, sink } = await started();
    let release = () => {};
    sink.answer = () => new Promise((resolve) => (release = () => resolve({ acceptedSpans: 1, rejectedSpans: 0 })));
    const answer = post(url, protobuf);
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    const stopped = receiver?.stop();
    await expect(post(url, protobuf)).rejects.toThrow();
    release();
    expect((await answer).status).toBe(200);
    await stopped;
  });

  it('stops in time although a request never ends', async () => {
    const { url, sink, memory } = await started({ stopTimeoutMs: 200 });
    sink.answer = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const answer = post(url, protobuf);
    answer.catch(() => undefined);
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    await receiver?.stop();
    await expect(answer).rejects.toThrow();
    while (memory.pool.bytesInUse > 0) await systemClock.sleep(2);
    expect(sink.pushes[0]?.signal.aborted).toBe(true);
  });

  it('says in words that its port is taken', async () => {
    const { port } = await started();
    const first = receiver;
    await expect(started({ port })).rejects.toMatchObject({ kind: 'unavailable', code: 'port-taken' });
    await first?.stop();
  });

  describe('lets browsers send', () => {
    const cors = { corsOrigins: ['https://shop.example', 'https://*.shop.example'] };

    it.each([
      ['https://shop.example', true],
      ['https://www.SHOP.example', true],
      ['https://evil.example', false],
      ['https://shop.example.evil', false],
    ])('from %s: %s', async (origin, allowed) => {
      const { url } = await started(cors);
      const preflight = await fetch(url, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,x-a',
        },
      });
      expect(preflight.status).toBe(allowed ? 204 : 405);
      expect(preflight.headers.get('access-control-allow-headers')).toBe(allowed ? 'content-type,x-a' : null);
      const answer = await post(url, protobuf, { origin });
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowed ? origin : null);
    });
  });
});
