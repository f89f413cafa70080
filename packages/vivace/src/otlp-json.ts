import { bytesToHex, type Random } from '@vivace/kernel';

type AttributeValue = string | number | boolean | readonly string[] | { int: string };

/** A span as one writes it down: times in milliseconds after its parent's start, children inside. */
export interface SpanPlan {
  service: string;
  name: string;
  kind: keyof typeof KINDS;
  atMs?: number;
  takesMs: number;
  attributes?: Record<string, AttributeValue>;
  /** The message of an error status. */
  error?: string;
  events?: { name: string; atMs: number; attributes?: Record<string, AttributeValue> }[];
  links?: { traceId: string; spanId: string; attributes?: Record<string, AttributeValue> }[];
  /** Called with the ids that the span got, for links of other traces. */
  onId?: (ids: { traceId: string; spanId: string }) => void;
  children?: SpanPlan[];
}

export interface TraceRequest {
  traceId: string;
  spans: number;
  /** An OTLP export request in JSON. */
  body: { resourceSpans: { resource: object; scopeSpans: { scope: object; spans: object[] }[] }[] };
}

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

/** One trace as an OTLP export request, a resource a service, with ids of `random`. */
export function buildTraceRequest(root: SpanPlan, startMs: number, random: Random): TraceRequest {
  const traceId = bytesToHex(random.bytes(16));
  const byService = new Map<string, object[]>();
  let spans = 0;
  const add = (plan: SpanPlan, parentSpanId: string, parentStartMs: number) => {
    const ids = { traceId, spanId: bytesToHex(random.bytes(8)) };
    const start = parentStartMs + (plan.atMs ?? 0);
    plan.onId?.(ids);
    spans++;
    const span = {
      ...ids,
      parentSpanId,
      name: plan.name,
      kind: KINDS[plan.kind],
      startTimeUnixNano: nanos(start),
      endTimeUnixNano: nanos(start + plan.takesMs),
      attributes: attributesOf(plan.attributes),
      events: (plan.events ?? []).map((event) => ({
        name: event.name,
        timeUnixNano: nanos(start + event.atMs),
        attributes: attributesOf(event.attributes),
      })),
      links: (plan.links ?? []).map((link) => ({ ...link, attributes: attributesOf(link.attributes) })),
      status: plan.error === undefined ? {} : { code: 2, message: plan.error },
    };
    byService.set(plan.service, [...(byService.get(plan.service) ?? []), span]);
    for (const child of plan.children ?? []) add(child, ids.spanId, start);
  };
  add(root, '', startMs);
  const resourceSpans = [...byService].map(([service, of]) => ({
    resource: {
      attributes: attributesOf({
        'service.name': service,
        'service.namespace': 'shop',
        'service.version': '1.4.2',
        'deployment.environment.name': 'demo',
        'host.name': `${service}-0`,
      }),
    },
    scopeSpans: [{ scope: { name: 'vivace-demo', version: '1' }, spans: of }],
  }));
  return { traceId, spans, body: { resourceSpans } };
}

/** Whole microseconds become nanoseconds without passing through a double. */
function nanos(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

function attributesOf(attributes: Record<string, AttributeValue> = {}): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if ('int' in value) return { intValue: value.int };
  return { arrayValue: { values: value.map((item) => ({ stringValue: item })) } };
}
