import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Clock, createBufferPool, systemClock, VivaceError } from '@vivace/kernel';
import { createTestAuthority } from '@vivace/kernel/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  allocateGrpcFrame,
  type ChannelTls,
  createByteBudget,
  createGrpcChannel,
  DEFAULT_LISTENER_LIMITS,
  type GrpcCall,
  type GrpcMethod,
  type GrpcRequest,
  type ListenerLimits,
  type ListenerTls,
  listen,
  PREFIX_BYTES,
  type RequestMemory,
  serveGrpc,
} from './index.ts';

const MAX = 4 * 1024 * 1024;

interface Serving {
  methods?: Record<string, GrpcMethod>;
  tls?: ListenerTls;
  channelTls?: ChannelTls;
  limits?: Partial<ListenerLimits>;
  memory?: RequestMemory;
}

async function setUp({ methods = {}, tls, channelTls, limits = {}, memory }: Serving = {}) {
  const errors: unknown[] = [];
  const stopping = new AbortController();
  const all = new Map<string, GrpcMethod>(
    Object.entries({ '/t/Echo': ({ message, send }) => send(message), ...methods }),
  );
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    portFlag: '--port',
    ...(tls !== undefined && { tls }),
    limits: { ...DEFAULT_LISTENER_LIMITS, stopTimeoutMs: 1000, ...limits },
    clock: systemClock,
    onRequest: () => expect.unreachable('it takes calls alone'),
    onGrpc: (stream, headers) =>
      void serveGrpc(stream, headers, {
        methods: all,
        clock: systemClock,
        maxRequestBytes: MAX,
        ...(memory !== undefined && { memory }),
        tellsErrors: true,
        requestTimeoutMs: 5000,
        onError: (error) => errors.push(error),
        stopping: stopping.signal,
      }),
    onRefused: () => undefined,
  });
  const stop = () => listener.stop();
  onTestFinished(stop);
  const { port } = listener.address;
  const channel = createGrpcChannel({
    host: '127.0.0.1',
    port,
    clock: systemClock,
    tls: channelTls,
    connectTimeoutMs: 1000,
  });
  onTestFinished(() => channel.close());
  const call = (path: string, body: Uint8Array = new Uint8Array(0), more: Partial<GrpcRequest> = {}) =>
    channel.call({ path, frame: frameOf(body), timeoutMs: 5000, maxAnswerBytes: MAX, ...more });
  return { channel, call, errors, stop, port };
}

function frameOf(body: Uint8Array): Uint8Array {
  const frame = allocateGrpcFrame(body.length);
  frame.set(body, PREFIX_BYTES);
  return frame;
}

describe('calls', () => {
  test('messages of any size come back as they were, many at once over one connection', async () => {
    const { call } = await setUp();
    const bodies = [0, 1, 16_379, 16_380, 300_000, 3_000_000].map((length) => new Uint8Array(randomBytes(length)));
    const answers = await Promise.all(bodies.map((body) => call('/t/Echo', body)));
    answers.forEach((answer, i) => expect(Buffer.compare(answer, bodies[i] as Uint8Array)).toBe(0));
  });

  test('an error of the method is the error of the call', async () => {
    const error = new VivaceError('limited', 'too-much', 'too much: 7', { retryAfterMs: 250 });
    const { call } = await setUp({ methods: { '/t/Fail': () => Promise.reject(error) } });
    await expect(call('/t/Fail')).rejects.toMatchObject({
      kind: 'limited',
      code: 'too-much',
      message: 'too much: 7',
      retryAfterMs: 250,
    });
    await expect(call('/t/None')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('an error after messages ends the stream with it', async () => {
    const { channel } = await setUp({
      methods: {
        '/t/Some': async ({ send }) => {
          await send(Buffer.from('one'));
          throw new VivaceError('data', 'damaged', 'the rest is damaged');
        },
      },
    });
    const got: string[] = [];
    const read = async () => {
      for await (const message of channel.stream({
        path: '/t/Some',
        frame: frameOf(Buffer.alloc(0)),
        timeoutMs: 5000,
        maxAnswerBytes: 10,
      })) {
        got.push(Buffer.from(message).toString());
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'data', code: 'damaged' });
    expect(got).toEqual(['one']);
  });

  test('an answer that is no message, or more than one, is none of a call', async () => {
    const two: GrpcMethod = async ({ send }) => {
      await send(Buffer.from('one'));
      await send(Buffer.from('two'));
    };
    const { call } = await setUp({ methods: { '/t/Two': two, '/t/None': async () => undefined } });
    await expect(call('/t/Two')).rejects.toMatchObject({ kind: 'data', code: 'grpc-answer' });
    await expect(call('/t/None')).rejects.toMatchObject({ kind: 'data', code: 'grpc-answer' });
    expect(Buffer.from(await call('/t/Echo', Buffer.from('one'))).toString()).toBe('one');
  });

  test('a request or an answer that is too large is refused before there is room for it', async () => {
    const memory = { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(2 * MAX) };
    const { call } = await setUp({ memory, methods: { '/t/Large': ({ send }) => send(new Uint8Array(1000)) } });
    const huge = allocateGrpcFrame(4);
    new DataView(huge.buffer).setUint32(1, 0xffff_ffff);
    await expect(call('/t/Echo', undefined, { frame: huge })).rejects.toMatchObject({
      kind: 'limited',
      code: 'grpc-message-size',
    });
    expect([memory.budget.usedBytes, memory.pool.bytesInUse]).toEqual([0, 0]);
    await expect(call('/t/Large', undefined, { maxAnswerBytes: 999 })).rejects.toMatchObject({
      code: 'grpc-answer-size',
    });
    expect((await call('/t/Large', undefined, { maxAnswerBytes: 1000 })).length).toBe(1000);
  });

  test('messages are in pooled memory, which is not given back before a method that was left has ended', async () => {
    const memory = { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(MAX) };
    const held = Promise.withResolvers<void>();
    let message: Uint8Array | undefined;
    const { call } = await setUp({
      memory,
      methods: {
        '/t/Hold': async (held_) => {
          ({ message } = held_);
          await held.promise;
        },
      },
    });
    await expect(call('/t/Hold', Buffer.from('abc'), { timeoutMs: 100 })).rejects.toMatchObject({ kind: 'deadline' });
    expect(message?.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.pool.bytesInUse).toBeGreaterThan(0);
    held.resolve();
    await vi.waitUntil(() => memory.pool.bytesInUse === 0 && memory.budget.usedBytes === 0);
  });

  test('when too many bytes are under way a call is told to come again', async () => {
    const memory = { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(1024) };
    const { call } = await setUp({ memory });
    await expect(call('/t/Echo', new Uint8Array(2000))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'overloaded',
      retryAfterMs: 1000,
    });
    expect((await call('/t/Echo', Buffer.from('small'))).length).toBe(5);
  });
});

describe('deadlines and cancellation', () => {
  function waiting() {
    const calls: GrpcCall[] = [];
    const reasons: unknown[] = [];
    const method: GrpcMethod = (call) => {
      calls.push(call);
      return new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => {
          reasons.push(call.signal.reason);
          reject(call.signal.reason as Error);
        });
      });
    };
    return { calls, reasons, method };
  }

  test('a deadline ends the call at both sides', async () => {
    const { calls, reasons, method } = waiting();
    const { call } = await setUp({ methods: { '/t/Wait': method } });
    await expect(call('/t/Wait', undefined, { timeoutMs: 150 })).rejects.toMatchObject({ kind: 'deadline' });
    expect(calls[0]?.headers['grpc-timeout']).toMatch(/^1[0-9]{2}m$|^[0-9]{1,2}m$/);
    await vi.waitUntil(() => reasons.length === 1);
  });

  test('a signal ends the call at both sides, also before it has begun', async () => {
    const { calls, reasons, method } = waiting();
    const { call } = await setUp({ methods: { '/t/Wait': method } });
    const controller = new AbortController();
    const running = call('/t/Wait', undefined, { signal: controller.signal });
    await vi.waitUntil(() => calls.length === 1);
    controller.abort(new VivaceError('canceled', 'left', 'the client left'));
    await expect(running).rejects.toMatchObject({ kind: 'canceled', code: 'left' });
    await vi.waitUntil(() => reasons.length === 1);
    expect(reasons[0]).toMatchObject({ kind: 'canceled' });
    await expect(call('/t/Wait', undefined, { signal: controller.signal })).rejects.toMatchObject({ code: 'left' });
    expect(calls.length).toBe(1);
  });

  test('who stops reading holds the sender up, and who leaves ends it', async () => {
    let sent = 0;
    const ended = Promise.withResolvers<unknown>();
    const { channel } = await setUp({
      methods: {
        '/t/Endless': async ({ send }) => {
          try {
            for (;;) {
              await send(new Uint8Array(256 * 1024));
              sent++;
            }
          } catch (error) {
            ended.resolve(error);
            throw error;
          }
        },
      },
    });
    const messages = channel.stream({
      path: '/t/Endless',
      frame: frameOf(Buffer.alloc(0)),
      timeoutMs: 20_000,
      maxAnswerBytes: MAX,
    });
    await messages.next();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await pause(200);
    }
    // The window of a call, and what sockets and streams hold.
    expect(sent * 256 * 1024).toBeLessThan(16 * 1024 * 1024);
    for (let i = 0; i < 20; i++) await messages.next();
    await vi.waitUntil(() => sent > before);
    await messages.return(undefined);
    expect(await ended.promise).toMatchObject({ kind: 'canceled' });
  });
});

describe('connections', () => {
  test('nobody there is `unavailable`, soon', async () => {
    const { port, stop } = await setUp();
    await stop();
    const channel = createGrpcChannel({ host: '127.0.0.1', port, clock: systemClock });
    onTestFinished(() => channel.close());
    const request = { path: '/t/Echo', frame: frameOf(Buffer.alloc(0)), timeoutMs: 5000, maxAnswerBytes: 10 };
    await expect(channel.call(request)).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
    await expect(channel.reach()).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
  });

  test('a port that speaks something else is `unavailable`', async () => {
    const { port } = await setUp({ limits: { headersTimeoutMs: 100 } });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    const channel = createGrpcChannel({
      host: '127.0.0.1',
      port,
      clock: systemClock,
      tls: { ca: createTestAuthority().certificate },
      connectTimeoutMs: 2000,
    });
    onTestFinished(() => channel.close());
    const request = { path: '/t/Echo', frame: frameOf(Buffer.alloc(0)), timeoutMs: 5000, maxAnswerBytes: 10 };
    await expect(channel.call(request)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('a peer that is gone without a word ends its calls in five seconds, one that is slow does not', async () => {
    const slow: GrpcMethod = async ({ send }) => {
      await pause(1500);
      await send(Buffer.from('late'));
    };
    const { port } = await setUp({ methods: { '/t/Slow': slow } });
    const sockets: Socket[] = [];
    const proxy = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      sockets.push(near, far);
      near.pipe(far).pipe(near);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on('error', () => other.destroy());
        one.once('close', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    });
    // Ten times as fast: the slow answer takes three times as long as a peer that is gone.
    const clock: Clock = { ...systemClock, after: (ms, callback) => systemClock.after(ms / 10, callback) };
    const channel = createGrpcChannel({ host: '127.0.0.1', port: (proxy.address() as AddressInfo).port, clock });
    onTestFinished(() => channel.close());
    const request = { path: '/t/Slow', timeoutMs: 60_000, maxAnswerBytes: MAX };
    const calls = () => Array.from({ length: 20 }, () => channel.call({ ...request, frame: frameOf(Buffer.alloc(0)) }));
    for (const answer of await Promise.all(calls())) expect(Buffer.from(answer).toString()).toBe('late');

    const startMs = systemClock.monotonicMs();
    const lost = calls();
    for (const socket of sockets) socket.pause();
    for (const call of lost) await expect(call).rejects.toMatchObject({ kind: 'unavailable' });
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(1200);
    // The next call is over another connection.
    await Promise.all(calls());

    await channel.reach();
    for (const socket of sockets) socket.pause();
    await expect(channel.reach()).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
    await channel.reach();
  });

  test('who does not take the connection in time is not there, and taking it later changes nothing', async () => {
    // The thread takes nothing for a second and a half, and the system no more than wait for it already.
    const worker = new Worker(
      `const { createServer } = require('node:net');
       const { parentPort } = require('node:worker_threads');
       const server = createServer((socket) => socket.on('error', () => undefined));
       server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
         parentPort.postMessage(server.address().port);
         setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500), 50);
       });`,
      { eval: true },
    );
    onTestFinished(async () => void (await worker.terminate()));
    const [port] = (await once(worker, 'message')) as [number];
    await pause(200);
    const waiting = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    onTestFinished(() => {
      for (const socket of waiting) socket.destroy();
    });
    await pause(100);
    const channel = createGrpcChannel({ host: '127.0.0.1', port, clock: systemClock, connectTimeoutMs: 200 });
    onTestFinished(() => channel.close());
    const startMs = systemClock.monotonicMs();
    const request = { path: '/t/Echo', frame: frameOf(Buffer.alloc(0)), timeoutMs: 5000, maxAnswerBytes: MAX };
    await expect(channel.call(request)).rejects.toMatchObject({
      code: 'connect-failed',
      message: expect.stringContaining('no connection after 0.2 s'),
    });
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(900);
    // The system offers the connection again after a second, and after three.
    await pause(3500);
  });

  test('a server that stops lets calls end and takes no more', async () => {
    const held = Promise.withResolvers<void>();
    let begun = false;
    const { call, stop } = await setUp({
      methods: {
        '/t/Hold': async ({ send }) => {
          begun = true;
          await held.promise;
          await send(Buffer.from('done'));
        },
      },
    });
    const running = call('/t/Hold');
    await vi.waitUntil(() => begun);
    const stopped = stop();
    await pause(50);
    await expect(call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
    held.resolve();
    expect(Buffer.from(await running).toString()).toBe('done');
    await stopped;
  });

  test('with TLS both show who they are, and who cannot is not served', async () => {
    const authority = createTestAuthority();
    const tls = { ...authority.issueServer(), clientCa: authority.certificate };
    const client = authority.issueClient('distributor');
    const known = await setUp({ tls, channelTls: { ca: authority.certificate, ...client } });
    expect(Buffer.from(await known.call('/t/Echo', Buffer.from('tls'))).toString()).toBe('tls');
    const foreign = await setUp({ tls, channelTls: { ca: authority.certificate } });
    await expect(foreign.call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
    const distrusting = await setUp({ tls, channelTls: { ca: createTestAuthority('other').certificate, ...client } });
    await expect(distrusting.call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
    const misnamed = await setUp({
      tls,
      channelTls: { ca: authority.certificate, ...client, serverName: 'elsewhere' },
    });
    await expect(misnamed.call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
