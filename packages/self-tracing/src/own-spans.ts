import { ProtoWriter, WIRE_FIXED64, WIRE_VARINT } from '@vivace/otlp';

export type AttributeValue = string | number | boolean;

/** A span of our own work. */
export interface OwnSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  name: string;
  /** Microseconds since 1970: whole numbers that a number holds exactly. */
  startUnixMicros: number;
  endUnixMicros: number;
  attributes: Readonly<Record<string, AttributeValue>>;
  /** Why the work failed. */
  error?: string;
}

/** Fields of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. */
const RESOURCE_SPANS = 1;
const RESOURCE = 1;
const SCOPE_SPANS = 2;
const SCOPE = 1;
const SCOPE_NAME = 1;
const SPANS = 2;
const RESOURCE_ATTRIBUTES = 1;
const SPAN = { traceId: 1, spanId: 2, name: 5, kind: 6, start: 7, end: 8, attributes: 9, status: 15 } as const;
const STATUS = { message: 2, code: 3 } as const;
const KEY = 1;
const VALUE = 2;
const ANY = { text: 1, flag: 2, whole: 3, number: 4 } as const;
const KIND_SERVER = 2;
const STATUS_ERROR = 2;

/** The first attribute of the resource of our own spans: by it a request is known that holds them. */
const MARK = 'vivace.self';
const MARK_BYTES = Buffer.from(MARK);
/** The mark is within these: four tags and lengths before it. */
const MARK_WITHIN = 48;
const TWO_TO_32 = 2 ** 32;

/** An ExportTraceServiceRequest. */
export function encodeOwnSpans(
  spans: readonly OwnSpan[],
  resource: Readonly<Record<string, AttributeValue>>,
): Uint8Array<ArrayBuffer> {
  const out = new ProtoWriter(256 * spans.length + 256);
  const request = out.open(RESOURCE_SPANS);
  const about = out.open(RESOURCE);
  writeAttribute(out, RESOURCE_ATTRIBUTES, MARK, true);
  for (const [key, value] of Object.entries(resource)) writeAttribute(out, RESOURCE_ATTRIBUTES, key, value);
  out.close(about);
  const scope = out.open(SCOPE_SPANS);
  const library = out.open(SCOPE);
  out.stringField(SCOPE_NAME, 'vivace');
  out.close(library);
  for (const span of spans) writeSpan(out, span);
  out.close(scope);
  out.close(request);
  return out.toBytes();
}

/** Whether an encoded request is one of `encodeOwnSpans`, of this process or another. */
export function areOwnSpans(request: Uint8Array): boolean {
  const length = Math.min(request.length, MARK_WITHIN);
  return Buffer.from(request.buffer, request.byteOffset, length).includes(MARK_BYTES);
}

function writeSpan(out: ProtoWriter, span: OwnSpan): void {
  const start = out.open(SPANS);
  out.bytesField(SPAN.traceId, span.traceId);
  out.bytesField(SPAN.spanId, span.spanId);
  out.stringField(SPAN.name, span.name);
  out.tag(SPAN.kind, WIRE_VARINT);
  out.varint(KIND_SERVER);
  writeNanos(out, SPAN.start, span.startUnixMicros);
  writeNanos(out, SPAN.end, span.endUnixMicros);
  for (const [key, value] of Object.entries(span.attributes)) writeAttribute(out, SPAN.attributes, key, value);
  if (span.error !== undefined) {
    const status = out.open(SPAN.status);
    out.stringField(STATUS.message, span.error);
    out.tag(STATUS.code, WIRE_VARINT);
    out.varint(STATUS_ERROR);
    out.close(status);
  }
  out.close(start);
}

function writeNanos(out: ProtoWriter, field: number, micros: number): void {
  const nanos = BigInt(micros) * 1000n;
  out.tag(field, WIRE_FIXED64);
  out.fixed64(Number(nanos % BigInt(TWO_TO_32)), Number(nanos / BigInt(TWO_TO_32)));
}

function writeAttribute(out: ProtoWriter, field: number, key: string, value: AttributeValue): void {
  const pair = out.open(field);
  out.stringField(KEY, key);
  const any = out.open(VALUE);
  if (typeof value === 'string') out.stringField(ANY.text, value);
  else if (typeof value === 'boolean') {
    out.tag(ANY.flag, WIRE_VARINT);
    out.varint(value ? 1 : 0);
  } else if (Number.isSafeInteger(value) && value >= 0) {
    out.tag(ANY.whole, WIRE_VARINT);
    out.varint64(value % TWO_TO_32, Math.floor(value / TWO_TO_32));
  } else {
    out.tag(ANY.number, WIRE_FIXED64);
    out.double(value);
  }
  out.close(any);
  out.close(pair);
}
