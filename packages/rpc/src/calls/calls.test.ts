import { randomBytes } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type ChannelTls, createByteBudget, type ListenerTls } from '@vivace/http';
import { type Clock, createBufferPool, systemClock, VivaceError } from '@vivace/kernel';
import { createTestAuthority } from '@vivace/kernel/testing';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRpcServer } from '../rpc-server.ts';
import { createCallChannel } from './call-channel.ts';
import type { CallRequest } from './connection.ts';
import { FRAME, FrameReader, frameOf, HEADER_BYTES, numberFrame, PREFACE, requestFrames } from './frames.ts';
import type { Call, CallMethod } from './serve-calls.ts';

const MAX = 4 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

interface Serving {
  calls?: Record<string, CallMethod>;
  tls?: ListenerTls;
  channelTls?: ChannelTls;
  budgetBytes?: number;
}

async function setUp({ calls = {}, tls, channelTls, budgetBytes = 4 * MAX }: Serving = {}) {
  const errors: unknown[] = [];
  const memory = { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(budgetBytes) };
  const server = createRpcServer({
    host: '127.0.0.1',
    port: 0,
    ...(tls !== undefined && { tls }),
    methods: new Map(),
    calls: new Map(Object.entries({ '/t/Echo': ({ message, send }: Call) => send(message.slice()), ...calls })),
    memory,
    maxRequestBytes: MAX,
    clock: systemClock,
    onError: (error) => errors.push(error),
    stopTimeoutMs: 1000,
  });
  await server.start({ signal: AbortSignal.timeout(5000) });
  onTestFinished(() => server.stop());
  const { port } = server.address;
  const channel = channelTo(port, systemClock, channelTls);
  const call = (path: string, message: Uint8Array = NOTHING, more: Partial<CallRequest> = {}) =>
    channel.call({ path, message, timeoutMs: 5000, maxAnswerBytes: MAX, ...more });
  const stream = (path: string, more: Partial<CallRequest> = {}) =>
    channel.stream({ path, message: NOTHING, timeoutMs: 20_000, maxAnswerBytes: MAX, ...more });
  return { server, channel, call, stream, errors, memory, port };
}

function channelTo(port: number, clock: Clock = systemClock, tls?: ChannelTls) {
  const channel = createCallChannel({ host: '127.0.0.1', port, clock, tls, connectTimeoutMs: 1000 });
  onTestFinished(() => channel.close());
  return channel;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test('frames come out as they went in, however they are cut; what is too long is refused before it is here', () => {
  const sent = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 40 })),
  );
  fc.assert(
    fc.property(sent, fc.integer({ min: 1, max: 30 }), (frames, size) => {
      const bytes = Buffer.concat(frames.map(([kind, call, payload]) => frameOf(kind, call, payload)));
      const got: [number, number, number[]][] = [];
      const reader = new FrameReader();
      for (let at = 0; at < bytes.length; at += size) {
        reader.take(bytes.subarray(at, at + size), (kind, call, payload) => got.push([kind, call, [...payload]]));
      }
      expect(got).toEqual(frames.map(([kind, call, payload]) => [kind, call, [...payload]]));
    }),
  );
  const huge = frameOf(FRAME.piece, 1);
  new DataView(huge.buffer, huge.byteOffset).setUint32(5, 0xffff_ffff);
  expect(() => new FrameReader().take(huge, () => undefined)).toThrow('a frame of 4294967295 bytes');
});

describe('calls', () => {
  test('messages of any size come back as they were, many at once over one connection', async () => {
    const { call, memory } = await setUp();
    const sizes = [0, 1, 65_535, 65_536, 65_537, 300_000, 3_000_000];
    const bodies = sizes.map((length) => new Uint8Array(randomBytes(length)));
    const answers = await Promise.all(bodies.map((body) => call('/t/Echo', body)));
    answers.forEach((answer, i) => expect(Buffer.compare(answer, bodies[i] as Uint8Array)).toBe(0));
    const many = await Promise.all(Array.from({ length: 1000 }, (_, i) => call('/t/Echo', Buffer.from(`${i}`))));
    expect(many.map(text)).toEqual(Array.from({ length: 1000 }, (_, i) => `${i}`));
    await vi.waitUntil(() => memory.budget.usedBytes === 0 && memory.pool.bytesInUse === 0);
  });

  test('an error of the method is the error of the call, also behind messages, and only defects are told here', async () => {
    const error = new VivaceError('limited', 'too-much', 'zu viel: 7 €', { retryAfterMs: 250 });
    const { call, stream, errors } = await setUp({
      calls: {
        '/t/Fail': () => Promise.reject(error),
        '/t/Some': async ({ send }) => {
          await send(Buffer.from('one'));
          throw new VivaceError('data', 'damaged', 'the rest is damaged');
        },
      },
    });
    const { kind, code, message, retryAfterMs } = error;
    await expect(call('/t/Fail')).rejects.toMatchObject({ kind, code, message, retryAfterMs });
    await expect(call('/t/None')).rejects.toMatchObject({ kind: 'unavailable', code: 'call-unknown' });
    expect(errors).toEqual([]);
    const some = stream('/t/Some');
    expect(text((await some.next()).value as Uint8Array)).toBe('one');
    await expect(some.next()).rejects.toMatchObject({ kind: 'data', code: 'damaged' });
    expect(errors).toMatchObject([{ code: 'damaged' }]);
  });

  test('an answer without a message, or with more than one, is none of a call', async () => {
    const { call } = await setUp({
      calls: {
        '/t/Two': async ({ send }) => {
          await send(Buffer.from('one'));
          await send(Buffer.from('two'));
        },
        '/t/None': async () => undefined,
      },
    });
    for (const path of ['/t/Two', '/t/None']) {
      await expect(call(path)).rejects.toMatchObject({ kind: 'data', code: 'call-answer' });
    }
    expect(text(await call('/t/Echo', Buffer.from('one')))).toBe('one');
  });

  test('what is too large, and what there is no memory for now, is refused', async () => {
    const { call, memory } = await setUp({
      budgetBytes: 128 * 1024,
      calls: { '/t/Large': ({ send }) => send(new Uint8Array(200_000)) },
    });
    await expect(call('/t/Echo', new Uint8Array(300_000))).rejects.toMatchObject({ code: 'overloaded' });
    await expect(call('/t/Large', NOTHING, { maxAnswerBytes: 199_999 })).rejects.toMatchObject({
      kind: 'limited',
      code: 'call-answer-size',
    });
    expect((await call('/t/Large', NOTHING, { maxAnswerBytes: 200_000 })).length).toBe(200_000);
    expect([memory.budget.usedBytes, memory.pool.bytesInUse]).toEqual([0, 0]);
    const roomy = await setUp();
    await expect(roomy.call('/t/Echo', new Uint8Array(MAX + 1))).rejects.toMatchObject({ kind: 'limited' });
    expect(roomy.memory.budget.usedBytes).toBe(0);
  });
});

describe('deadlines, cancellation and room', () => {
  function waiting() {
    const reasons: unknown[] = [];
    const begun: Call[] = [];
    const method: CallMethod = (call) => {
      begun.push(call);
      return new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => {
          reasons.push(call.signal.reason);
          reject(call.signal.reason as Error);
        });
      });
    };
    return { reasons, begun, calls: { '/t/Wait': method } };
  }

  test('a deadline ends the call at both sides, and the connection goes on', async () => {
    const { reasons, calls } = waiting();
    const { call } = await setUp({ calls });
    await expect(call('/t/Wait', NOTHING, { timeoutMs: 150 })).rejects.toMatchObject({ kind: 'deadline' });
    await vi.waitUntil(() => reasons.length === 1);
    expect(text(await call('/t/Echo', Buffer.from('still')))).toBe('still');
  });

  test('a signal ends the call at both sides, also before it has begun', async () => {
    const { reasons, begun, calls } = waiting();
    const { call } = await setUp({ calls });
    const controller = new AbortController();
    const running = call('/t/Wait', NOTHING, { signal: controller.signal });
    await vi.waitUntil(() => begun.length === 1);
    controller.abort(new VivaceError('canceled', 'left', 'the client left'));
    await expect(running).rejects.toMatchObject({ kind: 'canceled', code: 'left' });
    await vi.waitUntil(() => reasons.length === 1);
    expect(reasons[0]).toMatchObject({ kind: 'canceled' });
    await expect(call('/t/Wait', NOTHING, { signal: controller.signal })).rejects.toMatchObject({ code: 'left' });
    expect(begun.length).toBe(1);
  });

  test('more calls than a connection takes wait for others, and leave when they are given up', async () => {
    const { begun, calls } = waiting();
    const { call } = await setUp({ calls });
    const controller = new AbortController();
    const { signal } = controller;
    const running = Array.from({ length: 256 }, () => call('/t/Wait', NOTHING, { signal }).catch(() => 'ended'));
    await vi.waitUntil(() => begun.length === 256);
    await expect(call('/t/Wait', NOTHING, { timeoutMs: 100 })).rejects.toMatchObject({ kind: 'deadline' });
    const next = call('/t/Echo', Buffer.from('next'));
    await pause(50);
    controller.abort(new VivaceError('canceled', 'left', 'enough'));
    expect(text(await next)).toBe('next');
    expect(new Set(await Promise.all(running))).toEqual(new Set(['ended']));
    expect(begun.length).toBe(256);
  });

  test('who stops reading holds the sender up, not other calls, and who leaves ends it', async () => {
    let sent = 0;
    const ended = Promise.withResolvers<unknown>();
    const { stream, call } = await setUp({
      calls: {
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
    const messages = stream('/t/Endless');
    await messages.next();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await pause(100);
    }
    expect(sent).toBeLessThan(8);
    expect((await call('/t/Echo', new Uint8Array(2_000_000))).length).toBe(2_000_000);
    for (let i = 0; i < 20; i++) expect((await messages.next()).value?.length).toBe(256 * 1024);
    await messages.return(undefined);
    expect(await ended.promise).toMatchObject({ kind: 'canceled' });
  });
});

describe('connections', () => {
  test('nobody there, and a port that speaks something else, are `unavailable`', async () => {
    const { port, server } = await setUp();
    await server.stop();
    const request = { path: '/t/Echo', message: NOTHING, timeoutMs: 5000, maxAnswerBytes: 10 };
    await expect(channelTo(port).call(request)).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
    await expect(channelTo(port).reach()).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
    const http = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n').on('error', () => undefined));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void http.close());
    const other = channelTo((http.address() as AddressInfo).port);
    await expect(other.call(request)).rejects.toMatchObject({ kind: 'unavailable', code: 'call-broken' });
  });

  test('who does not speak the protocol is closed, and takes nobody with it', async () => {
    const { port, call } = await setUp();
    const wrong = [
      frameOf(77, 1),
      Buffer.concat([requestFrames(2, '/t/Echo', 100, NOTHING), requestFrames(1, '/t/Echo', 100, NOTHING)]),
      frameOf(FRAME.call, 1),
      requestFrames(1, `/t/${'x'.repeat(300)}`, 100, NOTHING),
      Buffer.alloc(HEADER_BYTES, 0xff),
    ];
    for (const bytes of wrong) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      socket.write(Buffer.concat([PREFACE, bytes]));
      await new Promise((resolve) => socket.resume().once('close', resolve));
    }
    // Of calls that are not there any more the rest is nothing.
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    socket.write(PREFACE.subarray(0, 5));
    await pause(20);
    const rest = [numberFrame(FRAME.room, 9, 100), frameOf(FRAME.cancel, 9), frameOf(FRAME.last, 9)];
    socket.write(Buffer.concat([PREFACE.subarray(5), ...rest, frameOf(FRAME.ping, 3)]));
    const [answer] = await new Promise<[Buffer]>((resolve) => socket.once('data', (bytes: Buffer) => resolve([bytes])));
    expect(answer.equals(frameOf(FRAME.pong, 3))).toBe(true);
    expect(text(await call('/t/Echo', Buffer.from('all well')))).toBe('all well');
  });

  test('a peer that is gone without a word ends its calls in five seconds, one that is slow does not', async () => {
    const slow: CallMethod = async ({ send }) => {
      await pause(1500);
      await send(Buffer.from('late'));
    };
    const { port } = await setUp({ calls: { '/t/Slow': slow } });
    const sockets: Socket[] = [];
    const proxy = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      sockets.push(near, far);
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy()).once('close', () => far.destroy());
      far.on('error', () => near.destroy()).once('close', () => near.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    });
    // Ten times as fast: the slow answer takes three times as long as a peer that is gone.
    const clock: Clock = { ...systemClock, after: (ms, callback) => systemClock.after(ms / 10, callback) };
    const channel = channelTo((proxy.address() as AddressInfo).port, clock);
    const request = { path: '/t/Slow', message: NOTHING, timeoutMs: 60_000, maxAnswerBytes: MAX };
    const calls = () => Array.from({ length: 20 }, () => channel.call(request));
    for (const answer of await Promise.all(calls())) expect(text(answer)).toBe('late');
    const startMs = systemClock.monotonicMs();
    const lost = calls();
    for (const socket of sockets) socket.pause();
    for (const call of lost) await expect(call).rejects.toMatchObject({ kind: 'unavailable', code: 'call-broken' });
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(1200);
    // The next call is over another connection.
    await Promise.all(calls());
    await channel.reach();
    for (const socket of sockets) socket.pause();
    await expect(channel.reach()).rejects.toMatchObject({ kind: 'unavailable', code: 'connect-failed' });
    await channel.reach();
  });

  /** Answers the first call that comes with these bytes, and nothing else. */
  async function answering(answer: (socket: Socket) => Promise<void>) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => void answer(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    // Ten times as fast: who says nothing is given up after half a second.
    const clock: Clock = { ...systemClock, after: (ms, callback) => systemClock.after(ms / 10, callback) };
    return channelTo((server.address() as AddressInfo).port, clock);
  }

  test('a peer that says anything is there, whether or not it comes to answer pings', async () => {
    const channel = await answering(async (socket) => {
      for (let i = 0; i < 8; i++) {
        await pause(200);
        socket.write(frameOf(FRAME.last, 1, Buffer.from(`${i}`)));
      }
      socket.write(frameOf(FRAME.end, 1));
    });
    const got: string[] = [];
    const request = { path: '/t/Slow', message: NOTHING, timeoutMs: 60_000, maxAnswerBytes: MAX };
    for await (const message of channel.stream(request)) got.push(text(message));
    expect(got.join('')).toBe('01234567');
  });

  test('an answer in pieces smaller than need be is none', async () => {
    const channel = await answering(async (socket) => {
      socket.write(frameOf(FRAME.piece, 1, Buffer.from('x')));
    });
    const call = channel.call({ path: '/t/Small', message: NOTHING, timeoutMs: 60_000, maxAnswerBytes: MAX });
    await expect(call).rejects.toMatchObject({ kind: 'data', code: 'call-answer' });
  });

  test('a server that stops lets calls end and takes no more', async () => {
    const held = Promise.withResolvers<void>();
    let begun = false;
    const { call, server } = await setUp({
      calls: {
        '/t/Hold': async ({ send }) => {
          begun = true;
          await held.promise;
          await send(Buffer.from('done'));
        },
      },
    });
    const running = call('/t/Hold');
    await vi.waitUntil(() => begun);
    const stopped = server.stop();
    await pause(50);
    await expect(call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
    held.resolve();
    expect(text(await running)).toBe('done');
    await stopped;
  });

  test('with TLS both show who they are, and who cannot is not served', async () => {
    const authority = createTestAuthority();
    const tls = { ...authority.issueServer(), clientCa: authority.certificate };
    const client = authority.issueClient('querier');
    const ca = authority.certificate;
    const known = await setUp({ tls, channelTls: { ca, ...client } });
    expect(text(await known.call('/t/Echo', Buffer.from('tls')))).toBe('tls');
    for (const channelTls of [
      { ca },
      { ca: createTestAuthority('other').certificate, ...client },
      { ca, ...client, serverName: 'elsewhere' },
      undefined,
    ]) {
      const { call } = await setUp({ tls, ...(channelTls !== undefined && { channelTls }) });
      await expect(call('/t/Echo')).rejects.toMatchObject({ kind: 'unavailable' });
    }
  });
});
