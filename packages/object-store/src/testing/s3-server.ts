import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@vivace/kernel';
import { createS3Bucket, type S3Bucket } from './s3-bucket.ts';
import { escapeXml, S3Failure } from './s3-error.ts';
import { answerBucket, answerObject, type S3Answer } from './s3-operations.ts';
import { decodePayload } from './s3-payload.ts';
import { type S3Credentials, verifySignature } from './s3-signature.ts';

/**
 * What goes wrong with a request, so that a client sees it as it would across a network. With `delayMs` it happens
 * that much after the request has arrived, also when the client does not wait: writes land late.
 */
export type S3Fault = { delayMs?: number } & /** Not done; an error answer. */ (
  | { kind: 'status'; status: number; code: string; retryAfterSeconds?: number }
  /** Not done; the connection is reset. */
  | { kind: 'reset' }
  /** Done after the delay. */
  | { kind: 'delay'; delayMs: number }
  /** Done; the connection is reset instead of an answer. */
  | { kind: 'done-no-answer' }
  /** Done; the connection is reset after half of the body of the answer. */
  | { kind: 'cut' }
);

export interface S3FaultRequest {
  method: string;
  bucket: string;
  key: string;
  /** 1 for the first request of the server. */
  number: number;
}

export interface S3ServerOptions extends Partial<S3Credentials> {
  /** Default 0: a free one. */
  port?: number;
  host?: string;
  /** Buckets that exist from the start. */
  buckets?: readonly string[];
  fault?: (request: S3FaultRequest) => S3Fault | undefined;
  /** Ignores conditions of writes, as stores without them do. */
  ignoreConditions?: boolean;
  /** Answers 403 for a missing key, as S3 does to who may not list the bucket. */
  hideMissing?: boolean;
}

export interface S3Server extends S3Credentials {
  readonly endpoint: string;
  readonly port: number;
  /** Requests so far, refused ones too. */
  readonly requests: number;
  fault: (request: S3FaultRequest) => S3Fault | undefined;
  bucket(name: string): S3Bucket | undefined;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1 << 30;

/**
 * An S3 server in this process, in memory: what of the API an object store needs, path style, with signatures
 * verified, strong consistency and the conditional writes of AWS, to test a real client against.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const {
    port = 0,
    host = '127.0.0.1',
    accessKeyId = 'vivace-test',
    secretAccessKey = 'vivace-test-secret',
    region = 'us-east-1',
  } = options;
  const credentials = { accessKeyId, secretAccessKey, region };
  const nowMs = () => systemClock.nowMs();
  const buckets = new Map((options.buckets ?? []).map((name) => [name, createS3Bucket(nowMs)]));
  let requests = 0;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const number = ++requests;
    const method = request.method ?? '';
    const [rawPath = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
    const [, bucketName = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodePath(rawPath)) ?? [];
    const fault = server.fault({ method, bucket: bucketName, key, number });
    const pause = async () => {
      if (fault?.delayMs !== undefined) await systemClock.sleep(fault.delayMs);
    };
    if (fault?.kind === 'reset') {
      await pause();
      return reset(request);
    }
    if (fault?.kind === 'status') {
      await readBody(request);
      await pause();
      const failure = new S3Failure(fault.status, fault.code, 'a fault was asked for');
      const headers: Record<string, string> =
        fault.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(fault.retryAfterSeconds) };
      return send(response, method, { ...failureAnswer(failure, key), headers });
    }
    let result: S3Answer;
    try {
      const verified = verifySignature(
        { method, path: rawPath, query, headers: request.headers, nowMs: nowMs() },
        credentials,
      );
      const deletionsBefore = buckets.get(bucketName)?.deletions(key) ?? 0;
      const body = decodePayload(await readBody(request), request.headers, verified);
      await pause();
      const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
      const condition = options.ignoreConditions ? undefined : { ifMatch, ifNoneMatch, deletionsBefore };
      const parameters = new URLSearchParams(query);
      const input = { method, key, query: parameters, headers: request.headers, body, condition };
      result = route(bucketName, input);
    } catch (error) {
      result = failureAnswer(error, key);
    }
    if (fault?.kind === 'done-no-answer') return reset(request);
    if (fault?.kind === 'cut') {
      const body = Buffer.from(result.body ?? '');
      response.writeHead(result.status, { ...result.headers, 'Content-Length': body.length });
      response.write(body.subarray(0, body.length >> 1), () => reset(request));
      return;
    }
    send(response, method, result);
  };

  const route = (name: string, input: Parameters<typeof answerObject>[2]): S3Answer => {
    if (name === '') throw new S3Failure(405, 'MethodNotAllowed', 'no bucket named');
    if (input.key === '' && input.method === 'PUT') {
      if (!buckets.has(name)) buckets.set(name, createS3Bucket(nowMs));
      return { status: 200 };
    }
    const bucket = buckets.get(name);
    if (!bucket) throw new S3Failure(404, 'NoSuchBucket', 'The specified bucket does not exist');
    if (input.key === '') return answerBucket(bucket, name, input);
    const reads = input.method === 'GET' || input.method === 'HEAD';
    if (options.hideMissing && reads && !bucket.objects.has(input.key)) {
      throw new S3Failure(403, 'AccessDenied', 'Access Denied');
    }
    return answerObject(bucket, name, input);
  };

  const http = createServer((request, response) => {
    // A client that went away is none of the server's trouble.
    answer(request, response).catch(() => reset(request));
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, resolve);
  });
  const bound = (http.address() as AddressInfo).port;

  const server: S3Server = {
    ...credentials,
    endpoint: `http://${host}:${bound}`,
    port: bound,
    get requests() {
      return requests;
    },
    fault: options.fault ?? (() => undefined),
    bucket: (name) => buckets.get(name),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new S3Failure(400, 'EntityTooLarge', 'Your upload is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

function failureAnswer(error: unknown, key: string): S3Answer {
  const failure =
    error instanceof S3Failure
      ? error
      : new S3Failure(500, 'InternalError', error instanceof Error ? error.message : '');
  return {
    status: failure.status,
    headers: { 'Content-Type': 'application/xml' },
    body:
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${failure.code}</Code>` +
      `<Message>${escapeXml(failure.message)}</Message><Key>${escapeXml(key)}</Key></Error>`,
  };
}

function send(response: ServerResponse, method: string, { status, headers, body }: S3Answer): void {
  const bare = method === 'HEAD' || status === 304 || status === 204;
  const length = bare || body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...length, 'x-amz-request-id': 'test' });
  response.end(bare ? undefined : body);
}

function reset(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}
