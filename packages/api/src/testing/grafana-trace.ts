import protobuf from 'protobufjs';

/**
 * A client as strict as Grafana's Tempo data source, which is written in Go and follows pointers without
 * asking: an absent trace, resource, scope or status ends it with a panic, and a resource without attributes
 * loses all of its spans in silence. Where it would break, this throws and says which field.
 */

const SCHEMA = `
syntax = "proto3";
package t;
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Status { string message = 2; int32 code = 3; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
  uint32 dropped_attributes_count = 5; fixed32 flags = 6;
}
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message TracesData { repeated ResourceSpans resource_spans = 1; }
message TraceByIDMetrics { uint64 inspected_bytes = 1; }
message TraceByIDResponse { TracesData trace = 1; TraceByIDMetrics metrics = 2; int32 status = 3; string message = 4; }
`;

const root = protobuf.parse(SCHEMA).root;
const tracesDataType = root.lookupType('t.TracesData');
const responseType = root.lookupType('t.TraceByIDResponse');

export interface DecodedKeyValue {
  key: string;
  value?: Record<string, unknown>;
}

/** As protobufjs decodes it: 64-bit numbers are `Long`s, and what was not on the wire is not an own property. */
export interface DecodedSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId?: Uint8Array;
  name?: string;
  kind?: number;
  attributes: DecodedKeyValue[];
  events: unknown[];
  links: unknown[];
  status: { code?: number; message?: string };
}

export interface DecodedScopeSpans {
  scope: { name?: string; version?: string; attributes: DecodedKeyValue[] };
  spans: DecodedSpan[];
}

export interface DecodedResourceSpans {
  resource: { attributes: DecodedKeyValue[] };
  scopeSpans: DecodedScopeSpans[];
}

interface DecodedTrace {
  resourceSpans: DecodedResourceSpans[];
}

interface DecodedResponse {
  trace?: DecodedTrace;
  metrics?: { inspectedBytes: unknown };
  status?: number;
  message?: string;
}

export function decodeTracesData(bytes: Uint8Array): DecodedTrace {
  return tracesDataType.decode(bytes) as unknown as DecodedTrace;
}

export function decodeTraceByIdResponse(bytes: Uint8Array): DecodedResponse {
  return responseType.decode(bytes) as unknown as DecodedResponse;
}

/** `TracesData` from plain objects with camelCase names. */
export function encodeTracesData(trace: object): Uint8Array {
  return tracesDataType.encode(tracesDataType.fromObject(trace)).finish();
}

export interface GrafanaTrace {
  found: boolean;
  resourceSpans: DecodedResourceSpans[];
  spans: DecodedSpan[];
  /** What the banner over the trace says, when it is not whole. */
  partialMessage: string | undefined;
}

export interface FetchTraceOptions {
  headers?: Record<string, string>;
  /** Unix seconds. */
  start?: number;
  end?: number;
  signal?: AbortSignal;
}

/**
 * Fetches a trace as the data source does: version 2 of the endpoint first, version 1 after a 404, protobuf
 * both times. Throws for every status but 200, and for a body that would break the data source.
 */
export async function fetchTraceAsGrafana(
  baseUrl: string,
  traceId: string,
  { headers, start, end, signal }: FetchTraceOptions = {},
): Promise<GrafanaTrace> {
  const query = new URLSearchParams();
  if (start !== undefined) query.set('start', String(start));
  if (end !== undefined) query.set('end', String(end));
  const suffix = query.size === 0 ? '' : `?${query.toString()}`;
  const get = (path: string) =>
    fetch(`${baseUrl}${path}/${traceId}${suffix}`, {
      headers: { ...headers, accept: 'application/protobuf', 'accept-encoding': 'gzip' },
      ...(signal === undefined ? {} : { signal }),
    });
  const second = await get('/api/v2/traces');
  if (second.status !== 404) return takeTraceAsGrafana(await bodyOf(second), 2);
  await second.body?.cancel();
  return takeTraceAsGrafana(await bodyOf(await get('/api/traces')), 1);
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  if (response.status !== 200) {
    throw new Error(`failed to get trace. Status: ${response.status} Body: ${await response.text()}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** What the data source makes of a body of version 1 or 2. Throws where it would break or lose spans. */
export function takeTraceAsGrafana(body: Uint8Array, version: 1 | 2): GrafanaTrace {
  const response: DecodedResponse = version === 2 ? decodeTraceByIdResponse(body) : { trace: decodeTracesData(body) };
  const trace = present(response, 'trace', 'response');
  const spans: DecodedSpan[] = [];
  for (const [r, resourceSpans] of trace.resourceSpans.entries()) {
    const at = `resourceSpans[${r}]`;
    const resource = present(resourceSpans, 'resource', at);
    if (resource.attributes.length === 0) throw new Error(`${at}: a resource without attributes loses its spans`);
    for (const [s, scopeSpans] of resourceSpans.scopeSpans.entries()) {
      present(scopeSpans, 'scope', `${at}.scopeSpans[${s}]`);
      for (const [i, span] of scopeSpans.spans.entries()) {
        present(span, 'status', `${at}.scopeSpans[${s}].spans[${i}]`);
        for (const { key, value } of span.attributes) {
          if (value === undefined || value === null) throw new Error(`${at}: attribute ${key} has no value`);
        }
        spans.push(span);
      }
    }
  }
  const partial = version === 2 && response.status === 1;
  return {
    found: trace.resourceSpans.length > 0,
    resourceSpans: trace.resourceSpans,
    spans,
    partialMessage: partial ? (response.message ?? '') : undefined,
  };
}

function present<T extends object, K extends keyof T & string>(message: T, field: K, at: string): NonNullable<T[K]> {
  const value = Object.hasOwn(message, field) ? message[field] : undefined;
  if (value === undefined || value === null) throw new Error(`${at}.${field} is absent: nil pointer dereference`);
  return value;
}
