import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { seededRandom, VivaceError } from '@vivace/kernel';
import { createTestAuthority } from '@vivace/kernel/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startTestApi } from './testing/test-api.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** A raw connection: what it has received so far, and whether it was closed. */
function dial(port: number): { socket: net.Socket; received: () => string; closed: Promise<void> } {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('end', () => resolve());
  });
  return { socket, received: () => received, closed };
}

function dialHttp2(url: string, options: http2.SecureClientSessionOptions = {}): http2.ClientHttp2Session {
  const session = http2.connect(url, options);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

function get(session: http2.ClientHttp2Session, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path });
    let status = 0;
    let text = '';
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('end', () => resolve({ status, text }));
    stream.on('error', reject);
  });
}

describe('one port', () => {
  test('serves HTTP/1.1 and HTTP/2 side by side', async () => {
    const { url } = await startTestApi();
    const session = dialHttp2(url);
    const answers = await Promise.all([
      get(session, '/api/echo'),
      fetch(`${url}/api/echo`).then(async (response) => ({ status: response.status, text: await response.text() })),
      get(session, '/nowhere'),
      get(session, '/api/v2/traces/abc'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 200]);
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[3]?.text).toBe('{"trace":{},"metrics":{}}');
  });

  test('takes a preface that comes byte by byte', async () => {
    const { port, url } = await startTestApi();
    // A proxy that sends what the client says one byte at a time.
    const proxy = net.createServer((client) => {
      const server = net.connect({ host: '127.0.0.1', port, noDelay: true });
      server.pipe(client);
      const drip = async () => {
        for await (const chunk of client) {
          for (const byte of chunk as Buffer) {
            server.write(Buffer.from([byte]));
            await setImmediate();
          }
        }
      };
      drip().catch(() => server.destroy());
      client.on('error', () => server.destroy());
      client.on('close', () => server.destroy());
      server.on('error', () => client.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const proxyUrl = url.replace(String(port), String((proxy.address() as net.AddressInfo).port));
    expect(await get(dialHttp2(proxyUrl), '/api/echo')).toEqual({ status: 200, text: 'echo\n' });
    const response = await fetch(`${proxyUrl}/api/echo`, { headers: { connection: 'close' } });
    expect(await response.text()).toBe('echo\n');
  });

  test('takes methods that begin like the preface, pipelined and half-closed requests', async () => {
    const { port } = await startTestApi();
    const put = dial(port);
    put.socket.write('P');
    await new Promise((resolve) => setTimeout(resolve, 20));
    put.socket.write('RI HTTP/1.1\r\n\r\n');
    await expect.poll(put.received).toMatch(/^HTTP\/1\.1 400 Bad Request[^]*this is not an HTTP request/);
    const post = dial(port);
    post.socket.write('P');
    await new Promise((resolve) => setTimeout(resolve, 20));
    post.socket.write('OST /api/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc');
    await expect.poll(post.received).toMatch(/^HTTP\/1\.1 200 OK[^]*echo/);
    const half = dial(port);
    half.socket.end('GET /api/echo HTTP/1.1\r\nhost: x\r\n\r\nGET /ready HTTP/1.1\r\nhost: x\r\n\r\n');
    await half.closed;
    expect(half.received().match(/200 OK/g)?.length).toBe(2);
  });

  test.each([
    ['GET / HTTP/1.1\r\nhost: a b\r\n\r\n', /^HTTP\/1\.1 400[^]*the request cannot be read/],
    ['GET http://x/api/echo HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 200[^]*echo/],
    ['GET //evil/api/echo HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 404/],
    ['OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 4/],
    ['GET /api/echo HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
    ['GET /api/echo HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 200[^]*echo/],
    ['TRACE /api/echo HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 405[^]*method not allowed/],
    ['CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', /^$/],
    ['GET /api/traces/%ff?start=%ff HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 400[^]*trace IDs can only contain/],
    ['GET /api/traces/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 400/],
    ['GET /api/traces/a\x00b HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 400/],
    [
      'POST /api/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400[^]*this is not an HTTP request/,
    ],
  ])('answers %j as it deserves', async (request, answer) => {
    const { port, lines } = await startTestApi();
    const { socket, received, closed } = dial(port);
    socket.end(Buffer.from(request, 'latin1'));
    await closed;
    expect(received()).toMatch(answer);
    expect(lines).toEqual([]);
  });

  test('ignores a client that asks to upgrade to HTTP/2, as curl --http2 does, and serves HTTP/1.1', async () => {
    const { port } = await startTestApi();
    const { socket, received } = dial(port);
    socket.write(
      'GET /api/echo HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
    );
    await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK[^]*echo/);
  });
});

describe('clients that misbehave', () => {
  test('and say nothing, or stop in the preface or in the headers, are cut off', async () => {
    const { port, url } = await startTestApi({ limits: { headersTimeoutMs: 200 } });
    const slow = ['', 'PRI * HT', 'GET / HTTP/1.1\r\nhost: x\r\n'].map((text) => {
      const client = dial(port);
      client.socket.write(text);
      return client;
    });
    const started = performance.now();
    await Promise.all(slow.map((client) => client.closed));
    expect(performance.now() - started).toBeLessThan(5000);
    expect(slow[2]?.received()).toMatch(/^HTTP\/1\.1 408/);
    expect((await fetch(`${url}/api/echo`)).status).toBe(200);
  });

  test('and drip their headers are cut off all the same', async () => {
    const { port } = await startTestApi({ limits: { headersTimeoutMs: 300 } });
    const { socket, closed, received } = dial(port);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n');
    const drip = setInterval(() => socket.write('a: b\r\n'), 20);
    await closed;
    clearInterval(drip);
    expect(received()).toMatch(/^HTTP\/1\.1 408/);
  });

  test('and send headers without end are refused', async () => {
    const { port, url } = await startTestApi();
    const { socket, received } = dial(port);
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`);
    await expect.poll(received).toMatch(/^HTTP\/1\.1 431[^]*send fewer or shorter/);
    const session = dialHttp2(url);
    await get(session, '/api/echo');
    const stream = session.request({ ':path': '/api/echo', a: 'b'.repeat(40_000) });
    const outcome = await new Promise((resolve) => {
      stream.on('response', (headers) => resolve(headers[':status']));
      stream.on('error', (error) => resolve(error));
      stream.on('close', () => resolve('closed'));
    });
    expect(outcome).not.toBe(200);
    expect((await fetch(`${url}/api/echo`)).status).toBe(200);
  });

  test('and send garbage, before or after the preface, harm nobody else', async () => {
    const { port, url } = await startTestApi({ limits: { headersTimeoutMs: 500 } });
    const random = seededRandom(7);
    const clients = Array.from({ length: 60 }, (_, i) => {
      const client = dial(port);
      if (i % 3 === 1) client.socket.write(PREFACE);
      if (i % 3 === 2) client.socket.write(PREFACE.slice(0, random.u32() % 24));
      client.socket.write(random.bytes(1 + (random.u32() % 3000)));
      // Some break off at once, some close one side, some stay.
      if (i % 5 === 0) client.socket.resetAndDestroy();
      else if (i % 5 === 1) client.socket.end();
      return client;
    });
    await Promise.all(clients.map((client) => client.closed));
    expect(await (await fetch(`${url}/api/echo`)).text()).toBe('echo\n');
    expect((await get(dialHttp2(url), '/api/echo')).status).toBe(200);
  });

  test('and break off in the middle of requests harm nobody else', async () => {
    const { url, finder } = await startTestApi();
    finder.set('abc', () => new Promise(() => {}));
    for (let i = 0; i < 10; i++) {
      const session = dialHttp2(url);
      session.request({ ':path': '/api/traces/abc' }).on('error', () => {});
      await expect.poll(() => finder.asked.length).toBe(i + 1);
      session.destroy();
    }
    await expect.poll(() => finder.asked.every(({ options }) => options.signal.aborted)).toBe(true);
    expect((await get(dialHttp2(url), '/api/echo')).status).toBe(200);
  });

  test('and take nothing of a long answer are cut off', async () => {
    const { port, url, finder } = await startTestApi({ limits: { stallTimeoutMs: 300 } });
    // One attribute of 32 MiB: more than the buffers of both systems hold.
    const length = 32 * 1024 * 1024;
    const trace = new Uint8Array(length + 6);
    trace.set([0x12, 0x80 | (length & 127), 0x80 | ((length >> 7) & 127), 0x80 | ((length >> 14) & 127), length >> 21]);
    finder.set('abc', { trace: trace.subarray(0, length + 5) });
    const { socket } = dial(port);
    socket.pause();
    socket.write('GET /api/traces/abc HTTP/1.1\r\nhost: x\r\naccept: application/protobuf\r\n\r\n');
    const session = dialHttp2(url);
    const stream = session.request({ ':path': '/api/traces/abc', accept: 'application/protobuf' });
    stream.pause();
    const reset = new Promise((resolve) => stream.on('error', resolve).on('close', resolve));
    await reset;
    // The first connection learns of it when it reads on.
    await new Promise((resolve) => setTimeout(resolve, 600));
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const over = new Promise((resolve) => socket.on('close', resolve).on('end', resolve));
    socket.resume();
    await over;
    expect(bytes).toBeLessThan(length);
  });

  test('and are too many are refused, and served when others leave', async () => {
    const { port, url } = await startTestApi({ limits: { maxConnections: 3 } });
    const held = [dial(port), dial(port), dial(port)];
    for (const { socket } of held) socket.write('GET /api/echo HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(() => held.every(({ received }) => received().includes('echo'))).toBe(true);
    const extra = dial(port);
    await extra.closed;
    expect(extra.received()).toBe('');
    for (const { socket } of held) socket.destroy();
    await expect
      .poll(async () => (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text().catch(() => ''))
      .toMatch(/^vivace_api_connections_refused_total [1-9]/m);
  });

  test('and leave connections without requests are closed, of both protocols', async () => {
    const { port, url } = await startTestApi({ limits: { idleTimeoutMs: 100 } });
    const session = dialHttp2(url);
    const gone = new Promise((resolve) => session.on('close', resolve));
    await get(session, '/api/echo');
    const { socket, received, closed } = dial(port);
    socket.write('GET /api/echo HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(received).toContain('echo');
    await Promise.all([gone, closed]);
  });
});

describe('stopping', () => {
  test('lets running requests end and takes no new ones', async () => {
    const { api, url, port, finder } = await startTestApi();
    const releases: (() => void)[] = [];
    finder.set('abc', () => new Promise((resolve) => releases.push(() => resolve(notFound()))));
    const idle = dial(port);
    const keepAlive = dial(port);
    keepAlive.socket.write('GET /api/echo HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(keepAlive.received).toContain('echo');
    const first = fetch(`${url}/api/traces/abc`);
    const second = get(dialHttp2(url), '/api/traces/abc');
    await expect.poll(() => releases.length).toBe(2);
    const stopped = api.stop();
    await expect(fetch(`${url}/api/echo`)).rejects.toThrow();
    for (const release of releases) release();
    const started = performance.now();
    expect((await first).status).toBe(404);
    expect((await second).status).toBe(404);
    await Promise.all([keepAlive.closed, idle.closed, stopped]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('does not wait for ever for requests that do not end', async () => {
    const { api, url, finder } = await startTestApi({ limits: { stopTimeoutMs: 100 } });
    finder.set('abc', () => new Promise(() => {}));
    const first = fetch(`${url}/api/traces/abc`);
    const second = get(dialHttp2(url), '/api/traces/abc');
    const outcomes = Promise.allSettled([first, second]);
    await expect.poll(() => finder.asked.length).toBe(2);
    const started = performance.now();
    await api.stop();
    expect(performance.now() - started).toBeLessThan(2000);
    expect((await outcomes)[0]?.status).toBe('rejected');
  });

  test('may happen twice, and before a start', async () => {
    const { api } = await startTestApi();
    await Promise.all([api.stop(), api.stop()]);
    await api.stop();
  });

  function notFound() {
    return { trace: new Uint8Array(0), complete: true, problems: [], truncated: false, inspectedBytes: 0 };
  }
});

describe('a port that cannot be had', () => {
  test('is an error with a remedy', async () => {
    const { port } = await startTestApi();
    const error = await startTestApi({ port }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(VivaceError);
    expect((error as VivaceError).kind).toBe('unavailable');
    expect((error as VivaceError).message).toMatch(
      /^port \d+ on 127\.0\.0\.1 is taken by another program: stop it, or/,
    );
  });

  test('because the address is not of this machine says so', async () => {
    await expect(startTestApi({ host: '192.0.2.1' })).rejects.toThrow('this machine has no address 192.0.2.1');
  });
});

describe('TLS', () => {
  test('serves HTTP/1.1 and HTTP/2 as the handshake agrees', async () => {
    const authority = createTestAuthority();
    const { port, url } = await startTestApi({ tls: authority.issueServer() });
    expect(url).toBe(`https://127.0.0.1:${port}`);
    const session = dialHttp2(url, { ca: authority.certificate });
    expect(await get(session, '/api/echo')).toEqual({ status: 200, text: 'echo\n' });
    expect(session.alpnProtocol).toBe('h2');
    expect(await httpsGet(port, { ca: authority.certificate })).toBe('echo\n');
    expect(await httpsGet(port, { ca: authority.certificate, ALPNProtocols: [] })).toBe('echo\n');
  });

  test('serves only clients with a certificate of the client authority', async () => {
    const authority = createTestAuthority();
    const clients = createTestAuthority('clients');
    const { port, url } = await startTestApi({ tls: { ...authority.issueServer(), clientCa: clients.certificate } });
    const issued = clients.issueClient('grafana');
    const identity = { ca: authority.certificate, cert: issued.certificate, key: issued.key };
    expect(await httpsGet(port, identity)).toBe('echo\n');
    expect((await get(dialHttp2(url, identity), '/api/echo')).status).toBe(200);
    await expect(httpsGet(port, { ca: authority.certificate })).rejects.toThrow();
    const stranger = createTestAuthority('clients').issueClient('grafana');
    await expect(
      httpsGet(port, { ca: authority.certificate, cert: stranger.certificate, key: stranger.key }),
    ).rejects.toThrow();
  });

  test('cuts off clients that say nothing or speak plain text', async () => {
    const authority = createTestAuthority();
    const { port } = await startTestApi({ tls: authority.issueServer(), limits: { headersTimeoutMs: 200 } });
    const silent = dial(port);
    const plain = dial(port);
    plain.socket.write('GET /api/echo HTTP/1.1\r\nhost: x\r\n\r\n');
    const handshaken = tls.connect({ port, host: '127.0.0.1', ca: authority.certificate });
    handshaken.on('error', () => {});
    const cut = new Promise((resolve) => handshaken.on('close', resolve).on('end', resolve).resume());
    await Promise.all([silent.closed, plain.closed, cut]);
    expect(await httpsGet(port, { ca: authority.certificate })).toBe('echo\n');
  });

  test('stops with connections open', async () => {
    const authority = createTestAuthority();
    const { api, url } = await startTestApi({ tls: authority.issueServer(), limits: { stopTimeoutMs: 200 } });
    await get(dialHttp2(url, { ca: authority.certificate }), '/api/echo');
    await api.stop();
  });

  test('with files that do not belong together is refused with a remedy', async () => {
    const { certificate } = createTestAuthority().issueServer();
    const { key } = createTestAuthority().issueServer();
    await expect(startTestApi({ tls: { certificate, key } })).rejects.toThrow('give PEM files that belong together');
    await expect(startTestApi({ tls: { certificate: 'x', key } })).rejects.toThrow('give PEM files');
  });
});

function httpsGet(port: number, options: https.RequestOptions & tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    https
      .get({ host: '127.0.0.1', port, path: '/api/echo', agent: false, ...options }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      })
      .on('error', reject);
  });
}
