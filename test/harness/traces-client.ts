import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decodeTraces, encodeTraces, type PlainTraces } from '@vivace/otlp/testing';
import protobuf from 'protobufjs';
import type { TestServer } from './server.ts';

const COMPRESS = {
  identity: (bytes: Uint8Array) => bytes,
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  zstd: (bytes: Uint8Array) => zstdCompressSync(bytes),
};

export interface SendOptions {
  encoding?: keyof typeof COMPRESS;
  tenant?: string;
}

/** Sends an encoded request over OTLP/HTTP; throws unless every span of it was taken. */
export async function sendBytes(
  server: TestServer,
  bytes: Uint8Array,
  { encoding = 'identity', tenant }: SendOptions = {},
): Promise<void> {
  const response = await fetch(`${server.otlpHttp}/v1/traces`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      ...(encoding !== 'identity' && { 'content-encoding': encoding }),
      ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
    },
    body: new Uint8Array(COMPRESS[encoding](bytes)),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200 || body.length > 0) {
    throw new Error(`spans were refused: ${response.status} ${body.toString('latin1')}`);
  }
}

/** Has everything cut into blocks; throws when that fails. */
export async function flush(server: Pick<TestServer, 'http'>): Promise<void> {
  const response = await fetch(`${server.http}/flush`, { method: 'POST' });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`flush failed: ${response.status} ${text}`);
}

const FLUSH_TRIES = 60;

/** The same of one that may have a log to replay, while which there is nothing that could be flushed yet. */
export async function flushPatiently(server: Pick<TestServer, 'http'>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await flush(server);
    } catch (error) {
      if (tries === FLUSH_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Memory of spans that are not in blocks yet. */
export async function headBytes(server: TestServer): Promise<number> {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  const value = /^vivace_ingester_head_bytes (.*)$/m.exec(text)?.[1];
  if (value === undefined) throw new Error(`no metric of the heads:\n${text}`);
  return Number(value);
}

/** Waits until a server that has just started has read the log of the one before it. */
export async function replayed(server: TestServer): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if ((await readTrace(server, 'ff')).partial?.includes('being replayed') !== true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the log is not replayed:\n${server.output()}`);
}

export type Endpoint = 'v1' | 'v2';

type Accept = 'application/protobuf' | 'application/json';

const PATHS: Record<Endpoint, string> = { v1: '/api/traces', v2: '/api/v2/traces' };

export async function fetchTrace(
  server: TestServer,
  id: string,
  endpoint: Endpoint,
  accept: Accept,
): Promise<{ status: number; body: Buffer }> {
  const response = await fetch(`${server.http}${PATHS[endpoint]}/${id}`, { headers: { accept } });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

export interface ReadTrace {
  /** TracesData in protobuf. */
  bytes: Uint8Array;
  /** Why it is not whole. */
  partial: string | undefined;
  /** What was read of blocks for it: nothing where the heads had it all. */
  inspectedBytes: number;
}

/** A trace by version 2 in protobuf. */
export async function readTrace(server: TestServer, id: string): Promise<ReadTrace> {
  return readAnswer(await body200(server, id, 'v2', 'application/protobuf'));
}

/** A TraceByIDResponse, whose strings may be anything. */
function readAnswer(body: Buffer): ReadTrace {
  const answer: ReadTrace = { bytes: new Uint8Array(0), partial: undefined, inspectedBytes: 0 };
  let status = 0;
  let message = '';
  const reader = protobuf.Reader.create(body);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 0x0a) answer.bytes = reader.bytes();
    else if (tag === 0x12) answer.inspectedBytes = inspectedBytes(reader.bytes());
    else if (tag === 0x18) status = reader.int32();
    else if (tag === 0x22) message = reader.string();
    else throw new Error(`an answer with an unknown field: tag ${tag}`);
  }
  if (status === 1) answer.partial = message;
  return answer;
}

function inspectedBytes(metrics: Uint8Array): number {
  const reader = protobuf.Reader.create(metrics);
  if (reader.uint32() !== 0x08) throw new Error('metrics without the bytes that were inspected');
  return Number(reader.uint64());
}

/** The four forms in which a whole trace is answered: TracesData in protobuf, and JSON decoded. */
export interface TraceForms {
  protobuf: Record<Endpoint, Uint8Array>;
  json: Record<Endpoint, PlainTraces>;
}

export async function readEveryForm(server: TestServer, id: string): Promise<TraceForms> {
  const [v1, v2, v1Json, v2Json] = await Promise.all([
    body200(server, id, 'v1', 'application/protobuf'),
    readTrace(server, id),
    body200(server, id, 'v1', 'application/json'),
    body200(server, id, 'v2', 'application/json'),
  ]);
  return {
    protobuf: { v1, v2: v2.bytes },
    json: {
      v1: tracesOfTempoJson({ resourceSpans: parse(v1Json).batches }),
      v2: tracesOfTempoJson(parse(v2Json).trace),
    },
  };
}

async function body200(server: TestServer, ...how: [id: string, Endpoint, Accept]): Promise<Buffer> {
  const { status, body } = await fetchTrace(server, ...how);
  if (status !== 200) throw new Error(`a trace cannot be read (${how.join(', ')}): ${status} ${body.toString()}`);
  return body;
}

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map(
  (kind) => `SPAN_KIND_${kind}`,
);
const CODES = ['UNSET', 'OK', 'ERROR'].map((code) => `STATUS_CODE_${code}`);

/** JSON with the names of enums as their numbers. */
function parse(body: Buffer): { batches?: unknown; trace?: object } {
  return JSON.parse(body.toString(), (key, value: unknown) => {
    if (typeof value !== 'string' || (key !== 'kind' && key !== 'code')) return value;
    const number = (key === 'kind' ? KINDS : CODES).indexOf(value);
    if (number < 0) throw new Error(`no such ${key}: ${value}`);
    return number;
  }) as { batches?: unknown; trace?: object };
}

/** Base64, "NaN" and 64-bit integers in strings are read as protobuf's JSON mapping has them. */
function tracesOfTempoJson(traces: object | undefined): PlainTraces {
  return decodeTraces(encodeTraces({ ...traces }));
}
