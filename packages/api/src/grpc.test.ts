import http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { encodeGrpcMessage, type GrpcMethod, parseGrpcTimeout, serveGrpc } from '@vivace/http';
import { systemClock, VivaceError } from '@vivace/kernel';
import protobuf from 'protobufjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startTestApi, type TestApi } from './testing/test-api.ts';

const { root } = protobuf.parse(`
syntax = "proto3";
message Request { string service = 1; }
message Response { int32 status = 1; }
message List { map<string, Response> statuses = 1; }
`);
const requestType = root.lookupType('Request');
const responseType = root.lookupType('Response');
const listType = root.lookupType('List');
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

const bytes = (value: Buffer) => value;

function connect({ port }: { port: number }): grpc.Client {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

function unary(client: grpc.Client, path: string, request: object, options: grpc.CallOptions = {}): Promise<Buffer> {
  const message = Buffer.from(requestType.encode(requestType.fromObject(request)).finish());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, message, new grpc.Metadata(), options, (error, response) => {
      if (error) reject(error);
      else resolve(response as Buffer);
    });
  });
}

function statusOf(response: Buffer): unknown {
  return responseType.decode(response).toJSON()['status'];
}

describe('grpc.health.v1', () => {
  test('checks and lists on the port that serves GETs', async () => {
    const api = await startTestApi();
    const client = connect(api);
    expect(statusOf(await unary(client, '/grpc.health.v1.Health/Check', {}))).toBe(SERVING);
    expect(await (await fetch(`${api.url}/api/echo`)).text()).toBe('echo\n');
    api.missing.push('the store');
    expect(statusOf(await unary(client, '/grpc.health.v1.Health/Check', {}))).toBe(NOT_SERVING);
    const list = listType.decode(await unary(client, '/grpc.health.v1.Health/List', {})).toJSON();
    expect(list).toEqual({ statuses: { '': { status: 2 }, 'grpc.health.v1.Health': { status: 2 } } });
    await expect(unary(client, '/grpc.health.v1.Health/Check', { service: 'nobody' })).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
    });
  });

  test('watches until the server stops', async () => {
    const api = await startTestApi();
    const { statuses, ended } = watch(connect(api), '');
    await expect.poll(() => statuses).toEqual([SERVING]);
    api.missing.push('the store');
    await expect.poll(() => statuses, { timeout: 5000 }).toEqual([SERVING, NOT_SERVING]);
    const started = performance.now();
    await api.api.stop();
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await ended).toBe(grpc.status.UNAVAILABLE);
  });

  test('watches an unknown service without failing', async () => {
    const { statuses } = watch(connect(await startTestApi()), 'nobody');
    await expect.poll(() => statuses).toEqual([SERVICE_UNKNOWN]);
  });

  test('has no other methods', async () => {
    const client = connect(await startTestApi());
    await expect(unary(client, '/tempopb.StreamingQuerier/Search', {})).rejects.toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
      details: expect.stringContaining('this server has /grpc.health.v1.Health/Check') as string,
    });
  });

  function watch(client: grpc.Client, service: string): { statuses: unknown[]; ended: Promise<number> } {
    const message = Buffer.from(requestType.encode({ service }).finish());
    const call = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', bytes, bytes, message);
    const statuses: unknown[] = [];
    call.on('data', (response: Buffer) => statuses.push(statusOf(response)));
    const ended = new Promise<number>((resolve) => {
      call.on('error', (error) => resolve((error as grpc.ServiceError).code));
      call.on('end', () => resolve(grpc.status.OK));
    });
    onTestFinished(() => call.cancel());
    return { statuses, ended };
  }
});

describe('calls and requests on one connection', () => {
  test('do not get into each other', async () => {
    const { url } = await startTestApi();
    const session = openSession(url);
    const frame = Buffer.from([0, 0, 0, 0, 0]);
    const answers = await Promise.all([
      exchange(session, { ':path': '/api/echo' }),
      exchange(session, call('/grpc.health.v1.Health/Check'), frame),
      exchange(session, { ':path': '/ready' }),
    ]);
    expect(answers[0]?.body.toString()).toBe('echo\n');
    expect(answers[1]?.trailers['grpc-status']).toBe('0');
    expect([...(answers[1]?.body ?? [])]).toEqual([0, 0, 0, 0, 2, 8, SERVING]);
    expect(answers[2]?.body.toString()).toBe('ready\n');
  });

  test.each([
    ['no message', Buffer.alloc(0), '3'],
    ['half a prefix', Buffer.from([0, 0, 0]), '3'],
    ['a length beyond the end', Buffer.from([0, 0, 0, 0, 9, 1]), '3'],
    ['a length of 4 GiB', Buffer.from([0, 255, 255, 255, 255, 1]), '8'],
    ['two messages', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), '3'],
    ['a compressed message', Buffer.from([1, 0, 0, 0, 1, 1]), '12'],
    ['a message that is no protobuf', Buffer.from([0, 0, 0, 0, 2, 10, 200]), '3'],
    ['more than is declared', Buffer.alloc(3 * 1024 * 1024), '3'],
    ['more than is allowed', Buffer.concat([Buffer.from([0, 0, 48, 0, 0]), Buffer.alloc(3 * 1024 * 1024)]), '8'],
  ])('a body with %s is a status', async (_, body, status) => {
    const { url } = await startTestApi();
    const session = openSession(url);
    const answer = await exchange(session, call('/grpc.health.v1.Health/Check'), body);
    expect(answer.headers['grpc-status']).toBe(status);
    expect((await exchange(session, { ':path': '/api/echo' })).body.toString()).toBe('echo\n');
  });

  test('a request that does not come to its end is given up', async () => {
    const { url } = await startTestApi({ limits: { requestTimeoutMs: 100 } });
    const session = openSession(url);
    const stream = session.request(call('/grpc.health.v1.Health/Check'));
    stream.on('error', () => {});
    stream.write(Buffer.from([0, 0]));
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.on('response', resolve));
    expect(headers['grpc-status']).toBe('4');
  });

  test('gRPC without HTTP/2 or POST is told what to do', async () => {
    const { url } = await startTestApi();
    const headers = { 'content-type': 'application/grpc' };
    const http1 = await fetch(`${url}/grpc.health.v1.Health/Check`, { method: 'POST', headers, body: 'x' });
    expect([http1.status, await http1.text()]).toEqual([505, expect.stringContaining('gRPC needs HTTP/2')]);
    const get = await exchange(openSession(url), { ':path': '/grpc.health.v1.Health/Check', ...headers });
    expect([get.headers[':status'], get.body.toString()]).toEqual([405, 'gRPC takes POST, received GET\n']);
  });
});

describe('a method', () => {
  test('that streams sends as fast as it is read, and not more', async () => {
    let sent = 0;
    const { port } = await serve(async ({ send }) => {
      for (; sent < 100; sent++) await send(Buffer.alloc(64 * 1024, sent));
    });
    const stream = openSession(`http://127.0.0.1:${port}`).request(call('/t.T/M'));
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBeLessThan(10);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const frameBytes = 5 + 64 * 1024;
    expect(body.length).toBe(100 * frameBytes);
    for (let i = 0; i < 100; i++) expect(body[i * frameBytes + 5]).toBe(i);
  });

  test('that throws gives the status of the kind and its message, also after messages', async () => {
    const client = connect(
      await serve(async ({ send, message }) => {
        if (message.length > 0) await send(Buffer.from('one'));
        throw new VivaceError('limited', 'test', 'zu viel: 100 % “voll”');
      }),
    );
    const expected = { code: grpc.status.RESOURCE_EXHAUSTED, details: 'zu viel: 100 % “voll”' };
    await expect(unary(client, '/t.T/M', {})).rejects.toMatchObject(expected);
    await expect(unary(client, '/t.T/M', { service: 'x' })).rejects.toMatchObject(expected);
  });

  test('is told when the client cancels and when its deadline is over', async () => {
    const reasons: unknown[] = [];
    const client = connect(
      await serve(({ signal }) => {
        signal.addEventListener('abort', () => reasons.push((signal.reason as VivaceError).kind));
        return new Promise(() => {});
      }),
    );
    const call = client.makeServerStreamRequest('/t.T/M', bytes, bytes, Buffer.alloc(0));
    call.on('error', () => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    call.cancel();
    await expect.poll(() => reasons).toEqual(['canceled']);
    await expect(unary(client, '/t.T/M', {}, { deadline: Date.now() + 100 })).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await expect.poll(() => reasons.length).toBe(2);
  });

  async function serve(method: GrpcMethod): Promise<{ port: number }> {
    const stopping = new AbortController();
    const server = http2.createServer().on('stream', (stream, headers) => {
      stream.on('error', () => {});
      void serveGrpc(stream, headers, {
        methods: new Map([['/t.T/M', method]]),
        clock: systemClock,
        maxRequestBytes: 1000,
        requestTimeoutMs: 1000,
        onError: () => {},
        stopping: stopping.signal,
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return server.address() as { port: number };
  }
});

test('timeouts have units and are bounded', () => {
  expect(['1S', '2500m', '3M', '7u', '99999999H'].map(parseGrpcTimeout)).toEqual([
    1000,
    2500,
    180_000,
    0.007,
    2 ** 31 - 1,
  ]);
  expect(['', '1', 'S', '123456789S', '1s', undefined].map(parseGrpcTimeout)).toEqual(Array(6).fill(undefined));
});

test('messages are percent-encoded', () => {
  expect(encodeGrpcMessage('100% ä\n')).toBe('100%25 %C3%A4%0A');
});

function openSession(url: TestApi['url']): http2.ClientHttp2Session {
  const session = http2.connect(url);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

function call(path: string): http2.OutgoingHttpHeaders {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
}

interface Exchange {
  headers: http2.IncomingHttpHeaders;
  trailers: http2.IncomingHttpHeaders;
  body: Buffer;
}

function exchange(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    const answer: Exchange = { headers: {}, trailers: {}, body: Buffer.alloc(0) };
    stream.on('response', (received) => (answer.headers = received));
    stream.on('trailers', (received) => (answer.trailers = received));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve({ ...answer, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
    stream.end(body);
  });
}
