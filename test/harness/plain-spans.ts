import { encodeTraces } from '@vivace/otlp/testing';

/** A span as tests write it down; what is left out is what does not matter. */
export interface PlainSpan {
  /** Hex digits of the ids, filled up with zeros on the left. */
  trace: string;
  span: string;
  parent?: string;
  service?: string;
  name?: string;
  /** OTLP's numbers: 2 server, 3 client. */
  kind?: number;
  failed?: boolean;
  /** Milliseconds since 1970, and on. */
  startMs: number;
  durationMs?: number;
  attributes?: Record<string, string | number>;
}

const NANOS_PER_MS = 1_000_000n;

/** An export request of spans, those of a service under one resource. */
export function encodePlainSpans(spans: readonly PlainSpan[]): Uint8Array {
  const services = Map.groupBy(spans, ({ service = 'shop' }) => service);
  return encodeTraces({
    resourceSpans: [...services].map(([service, own]) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [{ spans: own.map(spanMessage) }],
    })),
  });
}

function spanMessage({
  trace,
  span,
  parent,
  name = 'op',
  kind = 1,
  failed = false,
  startMs,
  durationMs = 10,
  attributes = {},
}: PlainSpan): object {
  const id = (hex: string, length: number) => new Uint8Array(Buffer.from(hex.padStart(2 * length, '0'), 'hex'));
  return {
    traceId: id(trace, 16),
    spanId: id(span, 8),
    ...(parent !== undefined && { parentSpanId: id(parent, 8) }),
    name,
    kind,
    startTimeUnixNano: String(BigInt(startMs) * NANOS_PER_MS),
    endTimeUnixNano: String(BigInt(startMs + durationMs) * NANOS_PER_MS),
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
    })),
    ...(failed && { status: { code: 2 } }),
  };
}
