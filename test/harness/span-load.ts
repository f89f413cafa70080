import { hexToBytes } from '@vivace/kernel';
import { ProtoReader, ProtoWriter } from '@vivace/otlp';
import type { TestServer } from './server.ts';

/** Some spans of one trace; ids in hex. */
export interface TraceSpans {
  traceId: string;
  spanIds: readonly string[];
  /** Integer attributes of its spans, below 2^32. */
  numbers?: Readonly<Record<string, number>>;
}

export interface SpanLoadOptions {
  /** When the spans begin and end, milliseconds since 1970. Default: now. */
  startMs?: number;
  /** Integer attributes of every span, below 2^32. */
  numbers?: Readonly<Record<string, number>>;
}

/** An encoded export request of plain spans, each with an attribute of `padding` bytes. */
export function encodeSpanLoad(
  traces: readonly TraceSpans[],
  padding: number,
  { startMs = Date.now(), numbers = {} }: SpanLoadOptions = {},
): Uint8Array<ArrayBuffer> {
  const out = new ProtoWriter(4096);
  const now = BigInt(startMs) * 1_000_000n;
  const low = Number(now & 0xffffffffn);
  const high = Number(now >> 32n);
  const text = 'x'.repeat(padding);
  const resourceSpans = out.open(1);
  const resource = out.open(1);
  writeAttribute(out, 1, 'service.name', 'load');
  out.close(resource);
  const scopeSpans = out.open(2);
  for (const { traceId, spanIds, numbers: own = {} } of traces) {
    for (const spanId of spanIds) {
      const span = out.open(2);
      out.bytesField(1, hexToBytes(traceId));
      out.bytesField(2, hexToBytes(spanId));
      out.stringField(5, 'load');
      out.tag(7, 1);
      out.fixed64(low, high);
      out.tag(8, 1);
      out.fixed64(low, high);
      writeAttribute(out, 9, 'padding', text);
      for (const [key, number] of Object.entries({ ...numbers, ...own })) writeAttribute(out, 9, key, number);
      out.close(span);
    }
  }
  out.close(scopeSpans);
  out.close(resourceSpans);
  return new Uint8Array(out.toBytes());
}

function writeAttribute(out: ProtoWriter, field: number, key: string, value: string | number): void {
  const attribute = out.open(field);
  out.stringField(1, key);
  const any = out.open(2);
  if (typeof value === 'string') out.stringField(1, value);
  else {
    out.tag(3, 0);
    out.varint(value);
  }
  out.close(any);
  out.close(attribute);
}

export type Sent = 'taken' | 'again' | 'gone';

/** Posts a request. `again`: refused with a time to retry; `gone`: nobody knows. Throws for any other answer. */
export async function postSpans(
  server: Pick<TestServer, 'otlpHttp'>,
  tenant: string,
  body: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<Sent> {
  let status: number;
  let text: string;
  let retryAfter: string | null;
  try {
    const headers = { 'content-type': 'application/x-protobuf', 'x-scope-orgid': tenant };
    const response = await fetch(`${server.otlpHttp}/v1/traces`, {
      method: 'POST',
      headers,
      body,
      ...(signal !== undefined && { signal }),
    });
    status = response.status;
    retryAfter = response.headers.get('retry-after');
    text = await response.text();
  } catch {
    return 'gone';
  }
  if (status === 200 && text === '') return 'taken';
  if ((status === 503 || status === 429) && retryAfter !== null) return 'again';
  throw new Error(`spans were refused: ${status} ${text}`);
}

/** The span ids of a trace, as often as they are there; undefined when it says that it cannot be whole now. */
export async function fetchSpanIds(
  server: Pick<TestServer, 'http'>,
  tenant: string,
  traceId: string,
  signal?: AbortSignal,
): Promise<string[] | undefined> {
  const answer = await readSpanIds(server, tenant, traceId, signal === undefined ? {} : { signal });
  return typeof answer === 'string' ? undefined : answer.ids;
}

export interface SpanIds {
  /** As often as they are there. */
  ids: string[];
  /** Why it is not whole. */
  partial: string | undefined;
}

/**
 * What there is of a trace, or the status of who asks to come again. Where parts are taken it is asked for by version 2
 * of the API, which says what is missing; else what cannot be whole is a status.
 */
export async function readSpanIds(
  server: Pick<TestServer, 'http'>,
  tenant: string,
  traceId: string,
  { partial, signal }: { partial?: 'true'; signal?: AbortSignal } = {},
): Promise<SpanIds | '503' | '504' | '429'> {
  const headers = { accept: 'application/protobuf', 'x-scope-orgid': tenant };
  const response = await fetch(`${server.http}/api/${partial === undefined ? '' : 'v2/'}traces/${traceId}`, {
    headers,
    ...(signal !== undefined && { signal }),
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const status = `${response.status}`;
  if (status === '503' || status === '504' || status === '429') return status;
  const answer: SpanIds = { ids: [], partial: undefined };
  if (status === '404') return answer;
  if (status !== '200') throw new Error(`${status} ${Buffer.from(body).toString()}`);
  // ResourceSpans, ScopeSpans, Span, span_id.
  const readTrace = (trace: Uint8Array): void =>
    readFields(trace, 1, (batch) => {
      readFields(batch, 2, (scope) => {
        readFields(scope, 2, (span) => {
          readFields(span, 2, (id) => answer.ids.push(Buffer.from(id).toString('hex')));
        });
      });
    });
  if (partial === undefined) readTrace(body);
  else {
    readFields(body, 1, readTrace);
    // Whole answers have no message.
    readFields(body, 4, (message) => {
      answer.partial = Buffer.from(message).toString();
    });
  }
  return answer;
}

function readFields(message: Uint8Array, field: number, onField: (value: Uint8Array) => void): void {
  const reader = new ProtoReader(message);
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (tag !== field * 8 + 2) {
      reader.skip(tag & 7);
      continue;
    }
    const length = reader.length();
    onField(message.subarray(reader.at, reader.at + length));
    reader.at += length;
  }
}
