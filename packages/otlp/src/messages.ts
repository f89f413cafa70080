import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from './wire.ts';

/**
 * The messages of OTLP trace v1 (opentelemetry-proto, trace/v1/trace.proto, common/v1, resource/v1) as a table:
 * field numbers for the scan, and types and JSON names for the two transcoders, which are one walk each over it.
 */
export const TRACES_DATA = { resourceSpans: 1 } as const;
export const RESOURCE_SPANS = { resource: 1, scopeSpans: 2, schemaUrl: 3 } as const;
export const SCOPE_SPANS = { scope: 1, spans: 2, schemaUrl: 3 } as const;
export const SPAN = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTimeUnixNano: 7,
  endTimeUnixNano: 8,
  attributes: 9,
  droppedAttributesCount: 10,
  events: 11,
  droppedEventsCount: 12,
  links: 13,
  droppedLinksCount: 14,
  status: 15,
  flags: 16,
} as const;
export const EVENT = { timeUnixNano: 1, name: 2, attributes: 3, droppedAttributesCount: 4 } as const;
export const LINK = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  attributes: 4,
  droppedAttributesCount: 5,
  flags: 6,
} as const;
export const STATUS = { message: 2, code: 3 } as const;
export const RESOURCE = { attributes: 1, droppedAttributesCount: 2, entityRefs: 3 } as const;
export const SCOPE = { name: 1, version: 2, attributes: 3, droppedAttributesCount: 4 } as const;
export const KEY_VALUE = { key: 1, value: 2 } as const;
export const ANY_VALUE = {
  stringValue: 1,
  boolValue: 2,
  intValue: 3,
  doubleValue: 4,
  arrayValue: 5,
  kvlistValue: 6,
  bytesValue: 7,
} as const;
/** Of ArrayValue and KeyValueList alike. */
export const VALUES = { values: 1 } as const;
const ENTITY_REF = { schemaUrl: 1, type: 2, idKeys: 3, descriptionKeys: 4 } as const;

/** `id` is bytes that OTLP JSON writes in hex. */
type FieldType =
  | 'string'
  | 'bytes'
  | 'id'
  | 'bool'
  | 'enum'
  | 'uint32'
  | 'fixed32'
  | 'fixed64'
  | 'int64'
  | 'double'
  | 'message';

export interface Field {
  number: number;
  type: FieldType;
  wire: number;
  repeated: boolean;
  /** Has presence: written also when it is the default of its type. */
  oneof: boolean;
  /** Grafana wants it in every answer, empty if need be. */
  always: boolean;
  message: Message | undefined;
  enumNames: readonly string[] | undefined;
  /** lowerCamelCase and snake_case names in ASCII. */
  name: Uint8Array;
  snakeName: Uint8Array;
  /** `"name":` */
  jsonKey: Uint8Array;
}

export interface Message {
  name: string;
  /** At most one of its fields is set. */
  oneof: boolean;
  byNumber: (Field | undefined)[];
  /** By `nameHash` of either name. */
  byNameHash: Map<number, Field>;
  /** Those with `always`. */
  always: Field[];
}

const SPAN_KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
];
const STATUS_CODES = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];

/** The hash under which a field name's bytes are found; also computed byte by byte while JSON is read. */
export function nameHash(bytes: Uint8Array): number {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash;
}

interface FieldOptions {
  repeated?: boolean;
  always?: boolean;
  message?: Message;
  enumNames?: readonly string[];
}

function define(name: string, options: { oneof?: boolean } = {}): Message {
  return { name, oneof: options.oneof ?? false, byNumber: [], byNameHash: new Map(), always: [] };
}

function add<Names extends string>(
  message: Message,
  numbers: Record<Names, number>,
  types: Record<Names, FieldType | [FieldType, FieldOptions]>,
): void {
  for (const camel of Object.keys(numbers) as Names[]) {
    const described = types[camel];
    const [type, options] = typeof described === 'string' ? [described, {} as FieldOptions] : described;
    const snake = camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const field: Field = {
      number: numbers[camel],
      type,
      wire: WIRE_OF[type],
      repeated: options.repeated ?? false,
      oneof: message.oneof && !options.repeated,
      always: options.always ?? false,
      message: options.message,
      enumNames: options.enumNames,
      name: Buffer.from(camel),
      snakeName: Buffer.from(snake),
      jsonKey: Buffer.from(`"${camel}":`),
    };
    message.byNumber[field.number] = field;
    message.byNameHash.set(nameHash(field.name), field);
    message.byNameHash.set(nameHash(field.snakeName), field);
    if (field.always) message.always.push(field);
  }
}

const WIRE_OF: Record<FieldType, number> = {
  bool: WIRE_VARINT,
  enum: WIRE_VARINT,
  uint32: WIRE_VARINT,
  int64: WIRE_VARINT,
  fixed64: WIRE_FIXED64,
  double: WIRE_FIXED64,
  fixed32: WIRE_FIXED32,
  string: WIRE_BYTES,
  bytes: WIRE_BYTES,
  id: WIRE_BYTES,
  message: WIRE_BYTES,
};

const anyValue = define('AnyValue', { oneof: true });
const arrayValue = define('ArrayValue');
const keyValueList = define('KeyValueList');
const keyValue = define('KeyValue');
const entityRef = define('EntityRef');
const resource = define('Resource');
const scope = define('InstrumentationScope');
const status = define('Status');
const event = define('Event');
const link = define('Link');
const attributes: [FieldType, FieldOptions] = ['message', { repeated: true, message: keyValue }];

add(anyValue, ANY_VALUE, {
  stringValue: 'string',
  boolValue: 'bool',
  intValue: 'int64',
  doubleValue: 'double',
  arrayValue: ['message', { message: arrayValue }],
  kvlistValue: ['message', { message: keyValueList }],
  bytesValue: 'bytes',
});
add(arrayValue, VALUES, { values: ['message', { repeated: true, message: anyValue }] });
add(keyValueList, VALUES, { values: attributes });
add(keyValue, KEY_VALUE, { key: 'string', value: ['message', { message: anyValue }] });
add(entityRef, ENTITY_REF, {
  schemaUrl: 'string',
  type: 'string',
  idKeys: ['string', { repeated: true }],
  descriptionKeys: ['string', { repeated: true }],
});
add(resource, RESOURCE, {
  attributes,
  droppedAttributesCount: 'uint32',
  entityRefs: ['message', { repeated: true, message: entityRef }],
});
add(scope, SCOPE, { name: 'string', version: 'string', attributes, droppedAttributesCount: 'uint32' });
add(status, STATUS, { message: 'string', code: ['enum', { enumNames: STATUS_CODES }] });
add(event, EVENT, { timeUnixNano: 'fixed64', name: 'string', attributes, droppedAttributesCount: 'uint32' });
add(link, LINK, {
  traceId: 'id',
  spanId: 'id',
  traceState: 'string',
  attributes,
  droppedAttributesCount: 'uint32',
  flags: 'fixed32',
});

const span = define('Span');
const scopeSpans = define('ScopeSpans');
export const resourceSpans = define('ResourceSpans');
/** TracesData and ExportTraceServiceRequest, which are the same on the wire and in JSON. */
export const tracesData = define('TracesData');
add(span, SPAN, {
  traceId: 'id',
  spanId: 'id',
  traceState: 'string',
  parentSpanId: 'id',
  name: 'string',
  kind: ['enum', { enumNames: SPAN_KINDS }],
  startTimeUnixNano: 'fixed64',
  endTimeUnixNano: 'fixed64',
  attributes,
  droppedAttributesCount: 'uint32',
  events: ['message', { repeated: true, message: event }],
  droppedEventsCount: 'uint32',
  links: ['message', { repeated: true, message: link }],
  droppedLinksCount: 'uint32',
  status: ['message', { message: status, always: true }],
  flags: 'fixed32',
});
add(scopeSpans, SCOPE_SPANS, {
  scope: ['message', { message: scope, always: true }],
  spans: ['message', { repeated: true, message: span }],
  schemaUrl: 'string',
});
add(resourceSpans, RESOURCE_SPANS, {
  resource: ['message', { message: resource, always: true }],
  scopeSpans: ['message', { repeated: true, message: scopeSpans }],
  schemaUrl: 'string',
});
add(tracesData, TRACES_DATA, { resourceSpans: ['message', { repeated: true, message: resourceSpans }] });
