import zlib from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { systemClock, VivaceError } from '@vivace/kernel';
import { encodeRpcStatus } from '@vivace/otlp';
import { encodeTraces } from '@vivace/otlp/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { createGrpcReceiver, type GrpcReceiver, type GrpcReceiverOptions } from './index.ts';
import { createTestMemory, createTestOptions } from './testing.ts';

const MAX = 1024 * 1024;
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const protobuf = Buffer.from(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'GET /' }] }] }] }));

let receiver: GrpcReceiver | undefined;
let client: Client | undefined;
afterEach(async () => {
  client?.close();
  await receiver?.stop();
});

async function started(
  changes: Omit<Partial<GrpcReceiverOptions>, 'sink' | 'metrics'> = {},
  channel: Record<string, number> = {},
) {
  const options = { ...createTestOptions(MAX), ...changes };
  receiver = createGrpcReceiver(options);
  await receiver.start({ signal: AbortSignal.timeout(5000) });
  client = new Client(`127.0.0.1:${receiver.address().port}`, credentials.createInsecure(), channel);
  return options;
}

const identity = (bytes: Buffer) => bytes;

function call(request: Buffer, metadata = new Metadata(), path = EXPORT): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client?.makeUnaryRequest(path, identity, identity, request, metadata, (error, answer) =>
      error === null ? resolve(answer as Buffer) : reject(error as unknown as Error),
    );
  });
}

async function failure(request: Buffer, metadata?: Metadata, path?: string): Promise<ServiceError> {
  try {
    await call(request, metadata, path);
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('the call succeeded');
}

describe('the OTLP/gRPC receiver', () => {
  it('pushes the message as it came and answers with an empty response', async () => {
    const { sink, memory, metrics } = await started();
    expect((await call(protobuf)).length).toBe(0);
    expect(sink.pushes.map(({ tenant, bytes }) => [tenant, Buffer.from(bytes).equals(protobuf)])).toEqual([
      ['single-tenant', true],
    ]);
    expect([memory.pool.bytesInUse, memory.budget.usedBytes]).toEqual([0, 0]);
    expect(metrics.values).toEqual(
      new Map([
        ['receivedBytes{grpc}', protobuf.length],
        ['requests{grpc,0}', 1],
      ]),
    );
    expect(metrics.times).toEqual([['grpc', expect.closeTo(0, 0)]]);
  });

  it.each([
    ['deflate', 1],
    ['gzip', 2],
  ])('inflates %s', async (_, algorithm) => {
    const { sink } = await started({}, { 'grpc.default_compression_algorithm': algorithm });
    await call(protobuf);
    expect(Buffer.from(sink.pushes[0]?.bytes as Uint8Array).equals(protobuf)).toBe(true);
  });

  it('answers an empty message with success and pushes nothing', async () => {
    const { sink } = await started();
    expect((await call(Buffer.alloc(0))).length).toBe(0);
    expect(sink.pushes).toHaveLength(0);
  });

  it('says what was left out', async () => {
    const { sink } = await started();
    sink.answer = async () => ({ acceptedSpans: 1, rejectedSpans: 2, firstReason: 'bad id' });
    expect((await call(protobuf)).toString('latin1')).toBe('\n\n\b\u0002\u0012\u0006bad id');
  });

  it.each([
    [new VivaceError('data', 'protobuf', 'malformed'), status.INVALID_ARGUMENT, 'malformed', undefined],
    [
      new VivaceError('limited', 'rate', 'slow down', { retryAfterMs: 2500 }),
      status.RESOURCE_EXHAUSTED,
      'slow down',
      2500,
    ],
    [new VivaceError('limited', 'rate', 'too much'), status.RESOURCE_EXHAUSTED, 'too much', undefined],
    [new VivaceError('unavailable', 'log', 'disk full'), status.UNAVAILABLE, 'disk full', 1000],
    [new TypeError('x'), status.UNAVAILABLE, 'internal error: the server has logged it; try again', 1000],
  ])('tells the client of %s with status %i', async (error, code, message, retryDelayMs) => {
    const { sink, defects, memory } = await started();
    sink.answer = () => Promise.reject(error);
    const answer = await failure(protobuf);
    expect([answer.code, answer.details]).toEqual([code, message]);
    const details = answer.metadata.get('grpc-status-details-bin')[0] as Buffer;
    const expected = encodeRpcStatus({ code, message, ...(retryDelayMs === undefined ? {} : { retryDelayMs }) });
    expect(details.equals(expected)).toBe(true);
    expect(defects).toHaveLength(error instanceof TypeError ? 1 : 0);
    expect(memory.pool.bytesInUse).toBe(0);
  });

  it.each([
    [undefined, status.UNAUTHENTICATED],
    ['a|b', status.INVALID_ARGUMENT],
    ['bad/tenant', status.INVALID_ARGUMENT],
    ['team-a', status.OK],
  ])('with multi-tenancy answers a write for tenant %s with status %i', async (tenant, code) => {
    const { sink } = await started({ multitenancy: true });
    const metadata = new Metadata();
    if (tenant !== undefined) metadata.set('X-Scope-OrgID', tenant);
    if (code === status.OK) await call(protobuf, metadata);
    else expect((await failure(protobuf, metadata)).code).toBe(code);
    expect(sink.pushes.map((push) => push.tenant)).toEqual(code === status.OK ? [tenant] : []);
  });

  it('refuses messages over the limit, also those that only inflate to it', async () => {
    const { sink } = await started();
    expect((await failure(Buffer.alloc(MAX + 1))).code).toBe(status.RESOURCE_EXHAUSTED);
    client?.close();
    const port = receiver?.address().port as number;
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.default_compression_algorithm': 2,
      'grpc.max_send_message_length': -1,
    });
    const bomb = Buffer.alloc(64 * MAX);
    expect(zlib.gzipSync(bomb).length).toBeLessThan(MAX);
    expect((await failure(bomb)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(sink.pushes).toHaveLength(0);
  });

  it('asks clients to come back when too much is in flight', async () => {
    const { sink } = await started({ memory: createTestMemory(MAX) });
    let release = () => {};
    sink.answer = () => new Promise((resolve) => (release = () => resolve({ acceptedSpans: 1, rejectedSpans: 0 })));
    const held = call(Buffer.alloc(MAX - 10, 1));
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    expect((await failure(Buffer.alloc(11))).code).toBe(status.UNAVAILABLE);
    release();
    await held;
  });

  it('answers services and methods it does not have with UNIMPLEMENTED', async () => {
    await started();
    for (const path of [`${EXPORT}All`, '/opentelemetry.proto.collector.logs.v1.LogsService/Export']) {
      expect((await failure(protobuf, new Metadata(), path)).code).toBe(status.UNIMPLEMENTED);
    }
  });

  it('tells the sink when the client gives up', async () => {
    const { sink, memory } = await started();
    sink.answer = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const underWay = client?.makeUnaryRequest(EXPORT, identity, identity, protobuf, () => undefined);
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    underWay?.cancel();
    while (memory.pool.bytesInUse > 0) await systemClock.sleep(2);
    expect(sink.pushes[0]?.signal.aborted).toBe(true);
  });

  it('answers what is under way when it is stopped', async () => {
    const { sink } = await started();
    let release = () => {};
    sink.answer = () => new Promise((resolve) => (release = () => resolve({ acceptedSpans: 1, rejectedSpans: 0 })));
    const answer = call(protobuf);
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    const stopped = receiver?.stop();
    release();
    await answer;
    await stopped;
  });

  it('stops in time although a request never ends', async () => {
    const { sink } = await started({ stopTimeoutMs: 200 });
    sink.answer = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const answer = failure(protobuf);
    while (sink.pushes.length === 0) await systemClock.sleep(2);
    await receiver?.stop();
    expect((await answer).code).not.toBe(status.OK);
    expect(sink.pushes[0]?.signal.aborted).toBe(true);
  });

  it('says in words that its port is taken', async () => {
    await started();
    const first = receiver;
    await expect(started({ port: first?.address().port as number })).rejects.toMatchObject({ code: 'port-taken' });
    await first?.stop();
  });
});
