import https from 'node:https';
import { Client, credentials } from '@grpc/grpc-js';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createGrpcReceiver, createHttpReceiver, type GrpcReceiver, type HttpReceiver } from './index.ts';
import { createTestOptions } from './testing.ts';

interface Pair {
  cert: string;
  private: string;
}

// Made anew for every run; nothing is kept.
let ca: Pair;
let server: Pair;
let clientPair: Pair;
let stranger: Pair;

beforeAll(async () => {
  const authority = [
    { name: 'basicConstraints' as const, cA: true, critical: true },
    { name: 'keyUsage' as const, keyCertSign: true, digitalSignature: true },
  ];
  const names = [
    {
      name: 'subjectAltName' as const,
      altNames: [
        { type: 2 as const, value: 'localhost' },
        { type: 7 as const, ip: '127.0.0.1' },
      ],
    },
  ];
  ca = await generate([{ name: 'commonName', value: 'test authority' }], { extensions: authority });
  const signed = { ca: { key: ca.private, cert: ca.cert } };
  server = await generate([{ name: 'commonName', value: 'localhost' }], { ...signed, extensions: names });
  clientPair = await generate([{ name: 'commonName', value: 'collector' }], { ...signed, clientCertificate: false });
  stranger = await generate([{ name: 'commonName', value: 'stranger' }], {});
});

let receiver: HttpReceiver | GrpcReceiver | undefined;
afterEach(async () => receiver?.stop());

const common = () => createTestOptions(1024 * 1024);

function post(port: number, options: https.RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const request = https.request(
      { host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', headers, ca: ca.cert, agent: false, ...options },
      (response) => response.resume().on('end', () => resolve(response.statusCode)),
    );
    request.on('error', reject).end('{}');
  });
}

function call(port: number, channel: ReturnType<typeof credentials.createSsl>): Promise<unknown> {
  const client = new Client(`localhost:${port}`, channel);
  const identity = (bytes: Buffer) => bytes;
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      identity,
      identity,
      Buffer.from('x'),
      { deadline: Date.now() + 3000 } as never,
      (error) => {
        client.close();
        if (error === null) resolve(undefined);
        else reject(error as unknown as Error);
      },
    );
  });
}

describe('TLS', () => {
  it('is spoken by the HTTP receiver, and only that', async () => {
    receiver = createHttpReceiver({ ...common(), tls: { cert: server.cert, key: server.private } });
    await receiver.start({ signal: AbortSignal.timeout(5000) });
    const { port } = receiver.address();
    expect(await post(port, {})).toBe(200);
    await expect(post(port, { ca: stranger.cert })).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${port}/v1/traces`)).rejects.toThrow();
  });

  it('lets only clients in that the authority has signed', async () => {
    const tls = { cert: server.cert, key: server.private, clientCa: ca.cert };
    receiver = createHttpReceiver({ ...common(), tls });
    await receiver.start({ signal: AbortSignal.timeout(5000) });
    const { port } = receiver.address();
    expect(await post(port, { cert: clientPair.cert, key: clientPair.private })).toBe(200);
    await expect(post(port, {})).rejects.toThrow();
    await expect(post(port, { cert: stranger.cert, key: stranger.private })).rejects.toThrow();
  });

  it('is spoken by the gRPC receiver, with and without client certificates', async () => {
    const authority = Buffer.from(ca.cert);
    receiver = createGrpcReceiver({ ...common(), tls: { cert: server.cert, key: server.private } });
    await receiver.start({ signal: AbortSignal.timeout(5000) });
    await call(receiver.address().port, credentials.createSsl(authority));
    await receiver.stop();

    const tls = { cert: server.cert, key: server.private, clientCa: ca.cert };
    receiver = createGrpcReceiver({ ...common(), tls });
    await receiver.start({ signal: AbortSignal.timeout(5000) });
    const { port } = receiver.address();
    const pair = [Buffer.from(clientPair.private), Buffer.from(clientPair.cert)] as const;
    await call(port, credentials.createSsl(authority, ...pair));
    await expect(call(port, credentials.createSsl(authority))).rejects.toThrow();
    const other = [Buffer.from(stranger.private), Buffer.from(stranger.cert)] as const;
    await expect(call(port, credentials.createSsl(authority, ...other))).rejects.toThrow();
  });
});
