import { Columnizer, ColumnSet, encodeSpans } from '@vivace/columns';
import { bytesToHex } from '@vivace/kernel';
import { ProtoWriter, RESOURCE_SPANS, SCOPE_SPANS, TRACES_DATA } from '@vivace/otlp';
import { decodeTraces } from '@vivace/otlp/testing';
import type { Kind, Status } from '@vivace/traceql';
import { buildTrace } from '../naive/build-trace.ts';
import type { Attributes, NaiveTrace, SpanRecord, Value } from '../naive/model.ts';
import { gathered } from '../naive/values.ts';

/** OTLP as protobufjs decodes it. */
interface PlainAny {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: PlainAny[] };
  kvlistValue?: { values?: PlainAttribute[] };
  bytesValue?: number[];
}

interface PlainAttribute {
  key?: string;
  value?: PlainAny;
}

interface PlainSpan {
  spanId: number[];
  parentSpanId?: number[];
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: PlainAttribute[];
  events?: { timeUnixNano?: string; name?: string; attributes?: PlainAttribute[] }[];
  links?: { traceId?: number[]; spanId?: number[]; attributes?: PlainAttribute[] }[];
  status?: { message?: string; code?: number };
}

interface PlainTraces {
  resourceSpans?: {
    resource?: { attributes?: PlainAttribute[] };
    scopeSpans?: {
      scope?: { name?: string; version?: string; attributes?: PlainAttribute[] };
      spans?: PlainSpan[];
    }[];
  }[];
}

const KINDS: readonly Kind[] = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES: readonly Status[] = ['unset', 'ok', 'error'];

/**
 * The traces of encoded requests, however many brought them. Which of the spans with one identity stays is left to
 * a column set, whose rule has tests of its own; everything else is decoded by protobufjs.
 */
export function readTraces(requests: readonly Uint8Array[]): NaiveTrace[] {
  const set = new ColumnSet({ seed: 1, maxColumns: 1000 });
  const columnizer = new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 });
  for (const request of requests) columnizer.add(request);
  const traces: NaiveTrace[] = [];
  for (let trace = 0; trace < set.traces.count; trace++) {
    const records: SpanRecord[] = [];
    const { bytes, offsets, count, resource, resources, scope, scopes } = encodeSpans(
      set.view(),
      set.traces.rows(trace),
    );
    for (let index = 0; index < count; index++) {
      const writer = new ProtoWriter();
      const resourceSpans = writer.open(TRACES_DATA.resourceSpans);
      writer.copy(resources[resource[index] as number] as Uint8Array);
      const scopeSpans = writer.open(RESOURCE_SPANS.scopeSpans);
      writer.copy(scopes[scope[index] as number] as Uint8Array);
      writer.bytesField(SCOPE_SPANS.spans, bytes, offsets[index], offsets[index + 1]);
      writer.close(scopeSpans);
      writer.close(resourceSpans);
      records.push(...readRecords(decodeTraces(writer.toBytes()) as PlainTraces));
    }
    const traceId = set.traces.ids.slice(trace * 16, trace * 16 + 16);
    if (records.length > 0) traces.push(buildTrace(traceId, records));
  }
  return traces;
}

function readRecords({ resourceSpans = [] }: PlainTraces): SpanRecord[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ scope, spans = [] }) =>
      spans.map((span) => ({
        ...readSpan(span),
        resource: readAttributes(resource?.attributes),
        scope: {
          name: scope?.name ?? '',
          version: scope?.version ?? '',
          attributes: readAttributes(scope?.attributes),
        },
      })),
    ),
  );
}

function readSpan(span: PlainSpan): Omit<SpanRecord, 'resource' | 'scope'> {
  const parentId = Uint8Array.from(span.parentSpanId ?? []);
  const hasParent = parentId.length === 8 && parentId.some((byte) => byte !== 0);
  const kindNumber = span.kind ?? 0;
  return {
    spanId: Uint8Array.from(span.spanId),
    parentId: hasParent ? parentId : undefined,
    name: span.name ?? '',
    kind: KINDS[kindNumber] ?? 'unspecified',
    kindNumber,
    status: STATUSES[span.status?.code ?? 0] ?? 'unset',
    statusMessage: span.status?.message ?? '',
    startUnixNano: BigInt(span.startTimeUnixNano ?? '0'),
    endUnixNano: BigInt(span.endTimeUnixNano ?? '0'),
    attributes: readAttributes(span.attributes),
    events: (span.events ?? []).map((event) => ({
      name: event.name ?? '',
      timeUnixNano: BigInt(event.timeUnixNano ?? '0'),
      attributes: readAttributes(event.attributes),
    })),
    links: (span.links ?? []).map((link) => ({
      traceId: readId(link.traceId, 16),
      spanId: readId(link.spanId, 8),
      attributes: readAttributes(link.attributes),
    })),
  };
}

function readId(bytes: number[] | undefined, length: number): string | undefined {
  return bytes?.length === length ? bytesToHex(Uint8Array.from(bytes)) : undefined;
}

/** A key that is there more than once has all its values. */
function readAttributes(attributes: readonly PlainAttribute[] = []): Attributes {
  const values = new Map<string, Value[]>();
  for (const { key = '', value = {} } of attributes) values.set(key, [...(values.get(key) ?? []), readValue(value)]);
  return new Map([...values].map(([key, all]) => [key, gathered(all)]));
}

function readValue(value: PlainAny): Value {
  if (value.stringValue !== undefined) return { type: 'string', value: value.stringValue };
  if (value.boolValue !== undefined) return { type: 'bool', value: value.boolValue };
  if (value.intValue !== undefined) return { type: 'int', value: BigInt(value.intValue) };
  if (value.doubleValue !== undefined) return { type: 'float', value: value.doubleValue };
  if (value.arrayValue !== undefined) {
    return { type: 'array', values: (value.arrayValue.values ?? []).map(readValue) };
  }
  if (value.bytesValue !== undefined) return { type: 'other', text: Buffer.from(value.bytesValue).toString('base64') };
  return { type: 'other', text: jsonText(value) };
}

/** Maps and empty values as JSON; within them integers are numbers however large, and bytes base64. */
function jsonText(value: PlainAny): string {
  if (value.intValue !== undefined) return value.intValue;
  if (value.stringValue !== undefined) return JSON.stringify(value.stringValue);
  if (value.boolValue !== undefined) return String(value.boolValue);
  if (value.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue) ? String(value.doubleValue) : `"${value.doubleValue}"`;
  }
  if (value.bytesValue !== undefined) return `"${Buffer.from(value.bytesValue).toString('base64')}"`;
  if (value.arrayValue !== undefined) return `[${(value.arrayValue.values ?? []).map(jsonText).join(',')}]`;
  if (value.kvlistValue === undefined) return 'null';
  const members = value.kvlistValue.values ?? [];
  return `{${members.map(({ key = '', value: member = {} }) => `${JSON.stringify(key)}:${jsonText(member)}`).join(',')}}`;
}
