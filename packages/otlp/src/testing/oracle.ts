import protobuf from 'protobufjs';

/** OTLP trace v1 as protobufjs understands it: written by hand from the .proto files, apart from our own table. */
const SCHEMA: protobuf.INamespace = {
  nested: {
    TracesData: { fields: { resourceSpans: { rule: 'repeated', type: 'ResourceSpans', id: 1 } } },
    ResourceSpans: {
      fields: {
        resource: { type: 'Resource', id: 1 },
        scopeSpans: { rule: 'repeated', type: 'ScopeSpans', id: 2 },
        schemaUrl: { type: 'string', id: 3 },
      },
    },
    ScopeSpans: {
      fields: {
        scope: { type: 'Scope', id: 1 },
        spans: { rule: 'repeated', type: 'Span', id: 2 },
        schemaUrl: { type: 'string', id: 3 },
      },
    },
    Resource: {
      fields: {
        attributes: { rule: 'repeated', type: 'KeyValue', id: 1 },
        droppedAttributesCount: { type: 'uint32', id: 2 },
        entityRefs: { rule: 'repeated', type: 'EntityRef', id: 3 },
      },
    },
    EntityRef: {
      fields: {
        schemaUrl: { type: 'string', id: 1 },
        type: { type: 'string', id: 2 },
        idKeys: { rule: 'repeated', type: 'string', id: 3 },
        descriptionKeys: { rule: 'repeated', type: 'string', id: 4 },
      },
    },
    Scope: {
      fields: {
        name: { type: 'string', id: 1 },
        version: { type: 'string', id: 2 },
        attributes: { rule: 'repeated', type: 'KeyValue', id: 3 },
        droppedAttributesCount: { type: 'uint32', id: 4 },
      },
    },
    Span: {
      fields: {
        traceId: { type: 'bytes', id: 1 },
        spanId: { type: 'bytes', id: 2 },
        traceState: { type: 'string', id: 3 },
        parentSpanId: { type: 'bytes', id: 4 },
        name: { type: 'string', id: 5 },
        kind: { type: 'int32', id: 6 },
        startTimeUnixNano: { type: 'fixed64', id: 7 },
        endTimeUnixNano: { type: 'fixed64', id: 8 },
        attributes: { rule: 'repeated', type: 'KeyValue', id: 9 },
        droppedAttributesCount: { type: 'uint32', id: 10 },
        events: { rule: 'repeated', type: 'Event', id: 11 },
        droppedEventsCount: { type: 'uint32', id: 12 },
        links: { rule: 'repeated', type: 'Link', id: 13 },
        droppedLinksCount: { type: 'uint32', id: 14 },
        status: { type: 'Status', id: 15 },
        flags: { type: 'fixed32', id: 16 },
      },
    },
    Event: {
      fields: {
        timeUnixNano: { type: 'fixed64', id: 1 },
        name: { type: 'string', id: 2 },
        attributes: { rule: 'repeated', type: 'KeyValue', id: 3 },
        droppedAttributesCount: { type: 'uint32', id: 4 },
      },
    },
    Link: {
      fields: {
        traceId: { type: 'bytes', id: 1 },
        spanId: { type: 'bytes', id: 2 },
        traceState: { type: 'string', id: 3 },
        attributes: { rule: 'repeated', type: 'KeyValue', id: 4 },
        droppedAttributesCount: { type: 'uint32', id: 5 },
        flags: { type: 'fixed32', id: 6 },
      },
    },
    Status: { fields: { message: { type: 'string', id: 2 }, code: { type: 'int32', id: 3 } } },
    KeyValue: { fields: { key: { type: 'string', id: 1 }, value: { type: 'AnyValue', id: 2 } } },
    AnyValue: {
      oneofs: {
        value: {
          oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue'],
        },
      },
      fields: {
        stringValue: { type: 'string', id: 1 },
        boolValue: { type: 'bool', id: 2 },
        intValue: { type: 'int64', id: 3 },
        doubleValue: { type: 'double', id: 4 },
        arrayValue: { type: 'ArrayValue', id: 5 },
        kvlistValue: { type: 'KeyValueList', id: 6 },
        bytesValue: { type: 'bytes', id: 7 },
      },
    },
    ArrayValue: { fields: { values: { rule: 'repeated', type: 'AnyValue', id: 1 } } },
    KeyValueList: { fields: { values: { rule: 'repeated', type: 'KeyValue', id: 1 } } },
  },
};

const type = protobuf.Root.fromJSON(SCHEMA).lookupType('TracesData');

/** The same with strings as bytes, to send and compare strings that are not UTF-8. */
const rawType = protobuf.Root.fromJSON(withRawStrings(SCHEMA)).lookupType('TracesData');

function withRawStrings(schema: protobuf.INamespace): protobuf.INamespace {
  const text = JSON.stringify(schema).replaceAll('"type":"string"', '"type":"bytes"');
  return JSON.parse(text) as protobuf.INamespace;
}

/** Plain TracesData: 64-bit integers as decimal strings, bytes and ids as Uint8Array, enums as numbers. */
export type PlainTraces = Record<string, unknown>;

export function encodeTraces(traces: PlainTraces): Uint8Array<ArrayBuffer> {
  return new Uint8Array(type.encode(type.fromObject(traces)).finish());
}

export function decodeTraces(bytes: Uint8Array): PlainTraces {
  return type.toObject(type.decode(Buffer.from(bytes)), { longs: String, bytes: Array });
}

/** As `encodeTraces`, where every string is a Uint8Array. */
export function encodeRawTraces(traces: PlainTraces): Uint8Array<ArrayBuffer> {
  return new Uint8Array(rawType.encode(rawType.fromObject(traces)).finish());
}

/** As `decodeTraces`, with strings and bytes alike in base64: what is equal here was equal to the byte. */
export function decodeRawTraces(bytes: Uint8Array): PlainTraces {
  return rawType.toObject(rawType.decode(Buffer.from(bytes)), { longs: String, bytes: String });
}

const BYTES_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId', 'bytesValue']);
const TEXT_FIELDS = new Set([
  'schemaUrl',
  'type',
  'idKeys',
  'descriptionKeys',
  'name',
  'version',
  'traceState',
  'message',
  'key',
  'stringValue',
]);

/** As `decodeTraces`, where what is not UTF-8 in a string became U+FFFD: what JSON shows. */
export function decodeShownTraces(bytes: Uint8Array): PlainTraces {
  return shown(decodeRawTraces(bytes)) as PlainTraces;
}

function shown(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => shown(element, key));
  if (typeof value === 'string') {
    if (BYTES_FIELDS.has(key)) return [...Buffer.from(value, 'base64')];
    return TEXT_FIELDS.has(key) ? Buffer.from(value, 'base64').toString() : value;
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shown(member, name)]));
}

/**
 * The form in which two messages that mean the same are equal: fields with the default of their type are left
 * out (within an attribute's value they stay), and so are empty resource, scope and status.
 */
export function normalTraces(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => normalTraces(element, key));
  if (value === null || typeof value !== 'object') return value;
  const out: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const normal = normalTraces(member, name);
    const isValue = key === 'value' || (key === 'values' && !('key' in value));
    if (!isValue && isDefault(name, normal)) continue;
    Object.defineProperty(out, name, { value: normal, enumerable: true });
  }
  return out;
}

function isDefault(name: string, value: unknown): boolean {
  if (value === '' || value === 0 || value === '0') return true;
  if (Array.isArray(value)) return value.length === 0;
  const message = name === 'resource' || name === 'scope' || name === 'status';
  return message && typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

// oxlint-disable-next-line typescript/no-explicit-any -- decoded OTLP is walked by name
type Plain = any;

/**
 * Every span of decoded traces as text, with its resource and scope and without what an answer adds for Grafana,
 * attributes of spans, events and links ordered by key; sorted. Two traces are equal where these are.
 */
export function spanTexts(traces: PlainTraces): string[] {
  const found: string[] = [];
  for (const { scopeSpans = [], ...resource } of (traces as Plain).resourceSpans ?? []) {
    for (const { spans = [], ...scope } of scopeSpans) {
      for (const span of spans) {
        const parts = { resource: withoutAdded(resource), scope, span: withSortedAttributes(span) };
        found.push(JSON.stringify(normalTraces(parts), exactNumber));
      }
    }
  }
  return found.sort();
}

/** JSON knows no NaN, no infinity and no negative zero. */
function exactNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? `number ${Object.is(value, -0) ? '-0' : value}`
    : value;
}

/** As text and in base64. */
const ADDED = new Set(['unknown_service', Buffer.from('unknown_service').toString('base64')]);

/** The attribute that an answer adds to a resource without any is no part of what was sent. */
function withoutAdded(resource: Plain): Plain {
  const copy = structuredClone(resource);
  const [only, more] = copy.resource?.attributes ?? [];
  if (more === undefined && ADDED.has(only?.value?.stringValue)) copy.resource.attributes = [];
  return copy;
}

/** Equal keys keep their order. */
function withSortedAttributes(span: Plain): Plain {
  const order = (attributes: Plain[] = []) => [...attributes].sort((a, b) => compareText(a.key ?? '', b.key ?? ''));
  const sorted = { ...span, attributes: order(span.attributes) };
  for (const list of ['events', 'links']) {
    sorted[list] = (span[list] ?? []).map((row: Plain) => ({ ...row, attributes: order(row.attributes) }));
  }
  return sorted;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
