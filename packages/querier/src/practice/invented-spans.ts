import { hexToBytes } from '@vivace/kernel';
import { tracesFromJson } from '@vivace/otlp';

const SERVICES = ['gateway', 'cart', 'orders', 'payment', 'stock', 'mail'];
const SPANS_A_TRACE = 12;
const START_MS = 1_700_000_000_000;
const TRACE_MS = 20;

/**
 * Traces of a made-up shop as an OTLP export request: what a query thread practises on. `first` is the number of the
 * first trace; the same number is the same trace.
 */
export function inventSpans(first: number, traces: number): Uint8Array {
  const byService = new Map<string, object[]>(SERVICES.map((service) => [service, []]));
  for (let number = first; number < first + traces; number++) {
    for (let span = 0; span < SPANS_A_TRACE; span++) {
      byService.get(SERVICES[(number + span) % SERVICES.length] as string)?.push(inventSpan(number, span));
    }
  }
  const resourceSpans = [...byService].map(([service, spans]) => ({
    resource: { attributes: [text('service.name', service), text('k8s.pod.name', `${service}-7d9f`)] },
    scopeSpans: [{ scope: { name: 'practice' }, spans }],
  }));
  return tracesFromJson(Buffer.from(JSON.stringify({ resourceSpans })));
}

/** When a trace begins. */
export function inventedStart(trace: number): bigint {
  return BigInt(START_MS + trace * TRACE_MS) * 1_000_000n;
}

export function inventedTraceId(trace: number): Uint8Array {
  return hexToBytes(hex(trace, 32));
}

/** Each span hangs below the one before half its number, kinds and attributes alternate, one in fifty failed. */
function inventSpan(trace: number, span: number): object {
  const start = inventedStart(trace) + BigInt(span) * 1_000_000n;
  const nanos = scattered(trace, span, 8_000_000);
  const failed = scattered(trace, span, 50) === 0;
  const attributes = [
    { key: 'http.response.status_code', value: { intValue: failed ? '503' : '200' } },
    text('http.route', `/v1/${SERVICES[span % SERVICES.length]}/item`),
    text('url.full', `https://shop/v1/item?id=${scattered(trace, span, 100_000)}`),
    text('order.id', `ord-${trace}`),
  ];
  if (span % 3 === 2) attributes.push(text('db.system', span % 2 === 0 ? 'redis' : 'postgresql'));
  const events = failed
    ? [{ timeUnixNano: `${start + 100n}`, name: 'exception', attributes: [text('exception.type', 'Timeout')] }]
    : [];
  return {
    traceId: hex(trace, 32),
    spanId: hex(trace * SPANS_A_TRACE + span, 16),
    parentSpanId: span === 0 ? '' : hex(trace * SPANS_A_TRACE + (span >> 1), 16),
    name: `GET /v1/${SERVICES[span % SERVICES.length]}`,
    kind: 1 + (span % 3),
    startTimeUnixNano: `${start}`,
    endTimeUnixNano: `${start + BigInt(nanos)}`,
    attributes,
    events,
    status: failed ? { code: 2, message: 'timed out' } : {},
  };
}

function text(key: string, value: string): { key: string; value: object } {
  return { key, value: { stringValue: value } };
}

/** A number below `range` that looks as if it were random, the same every time. */
function scattered(trace: number, span: number, range: number): number {
  return (Math.imul(trace * SPANS_A_TRACE + span + 1, 2_654_435_761) >>> 0) % range;
}

/** No ids are 0, and they do not lie in the order of their numbers. */
function hex(number: number, digits: number): string {
  const mixed = (Math.imul(number + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  return `${mixed}${number.toString(16).padStart(digits - 8, '0')}`;
}
