import { hexToBytes } from '@vivace/kernel';
import { ProtoReader, ProtoWriter } from '@vivace/otlp';
import type { TestServer } from './server.ts';

/** Some spans of one trace; ids in hex. */
export interface TraceSpans {
  traceId: string;
  spanIds: readonly string[];
}

/** An encoded export request of plain spans that started now, each with an attribute of `padding` bytes. */
export function encodeSpanLoad(traces: readonly TraceSpans[], padding: number): Uint8Array<ArrayBuffer> {
  const out = new ProtoWriter(4096);
  const now = BigInt(Date.now()) * 1_000_000n;
  const low = Number(now & 0xffffffffn);
  const high = Number(now >> 32n);
  const text = 'x'.repeat(padding);
  const resourceSpans = out.open(1);
  const scopeSpans = out.open(2);
  for (const { traceId, spanIds } of traces) {
    for (const spanId of spanIds) {
      const span = out.open(2);
      out.bytesField(1, hexToBytes(traceId));
      out.bytesField(2, hexToBytes(spanId));
      out.stringField(5, 'load');
      out.tag(7, 1);
      out.fixed64(low, high);
      out.tag(8, 1);
      out.fixed64(low, high);
      const attribute = out.open(9);
      out.stringField(1, 'padding');
      const value = out.open(2);
      out.stringField(1, text);
      out.close(value);
      out.close(attribute);
      out.close(span);
    }
  }
  out.close(scopeSpans);
  out.close(resourceSpans);
  return new Uint8Array(out.toBytes());
}

export type Sent = 'taken' | 'again' | 'gone';

/** Posts a request. `again`: refused with a time to retry; `gone`: nobody knows. Throws for any other answer. */
export async function postSpans(server: TestServer, tenant: string, body: Uint8Array<ArrayBuffer>): Promise<Sent> {
  let status: number;
  let text: string;
  let retryAfter: string | null;
  try {
    const headers = { 'content-type': 'application/x-protobuf', 'x-scope-orgid': tenant };
    const response = await fetch(`${server.otlpHttp}/v1/traces`, { method: 'POST', headers, body });
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

/** The span ids of a trace, as often as they are there; undefined when the answer says that it cannot be whole. */
export async function fetchSpanIds(server: TestServer, tenant: string, traceId: string): Promise<string[] | undefined> {
  const headers = { accept: 'application/protobuf', 'x-scope-orgid': tenant };
  const response = await fetch(`${server.http}/api/traces/${traceId}`, { headers });
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.status === 503) return undefined;
  if (response.status === 404) return [];
  if (response.status !== 200) throw new Error(`${response.status} ${Buffer.from(body).toString()}`);
  const ids: string[] = [];
  // ResourceSpans, ScopeSpans, Span, span_id.
  readFields(body, 1, (batch) => {
    readFields(batch, 2, (scope) => {
      readFields(scope, 2, (span) => {
        readFields(span, 2, (id) => ids.push(Buffer.from(id).toString('hex')));
      });
    });
  });
  return ids;
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
