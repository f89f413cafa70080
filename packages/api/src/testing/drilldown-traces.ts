import { encodeTracesData } from './grafana-trace.ts';

export interface DrilldownSpan {
  trace: number;
  number: number;
  parent: number | undefined;
  service: string;
  name: string;
  /** OTLP's numbers: 1 internal, 2 server, 3 client, 5 consumer. */
  kind: number;
  failed: boolean;
  startMs: number;
  durationMs: number;
  attributes: Record<string, string>;
  exception: string | undefined;
}

export const TRACES = 24;
/** When the traces were made: now, for what takes nothing else. */
export const NOW_MS = Date.now();
/** The oldest trace; one every ten seconds after it, all of them within the last quarter of an hour. */
export const OLDEST_MS = NOW_MS - 10 * 60_000;

export const spans: DrilldownSpan[] = Array.from({ length: TRACES }, (_, trace) => spansOf(trace)).flat();
export const roots = spans.filter(({ parent }) => parent === undefined);

/** A request to the shop, its call of a service or a mail that is sent, and the database behind. */
function spansOf(trace: number): DrilldownSpan[] {
  const startMs = OLDEST_MS + trace * 10_000;
  const failed = trace % 3 === 0;
  const common = { trace, failed: false, exception: undefined, attributes: {} };
  return [
    {
      ...common,
      number: 1,
      parent: undefined,
      service: 'shop',
      name: trace % 2 === 0 ? 'GET /cart' : 'POST /order',
      kind: 2,
      failed,
      startMs,
      durationMs: 20 + trace,
      attributes: { 'http.request.method': trace % 2 === 0 ? 'GET' : 'POST' },
    },
    {
      ...common,
      number: 2,
      parent: 1,
      service: 'payment',
      name: 'charge "card"',
      kind: trace % 4 === 1 ? 5 : 3,
      failed,
      startMs: startMs + 1,
      durationMs: 10,
      exception: failed ? `card declined\nby bank ${trace % 2}` : undefined,
    },
    {
      ...common,
      number: 3,
      parent: 2,
      service: 'payment',
      name: 'SELECT',
      kind: 3,
      startMs: startMs + 2,
      durationMs: 5,
      attributes: { 'db.system.name': 'postgresql' },
    },
  ];
}

export const traceId = (trace: number) => Buffer.from(`5${(trace + 1).toString(16).padStart(31, '0')}`, 'hex');
export const spanId = (number: number) => Buffer.from(number.toString(16).padStart(16, 'b'), 'hex');

/** The spans as a request of OTLP. */
export function drilldownRequest(sent: readonly DrilldownSpan[]): Uint8Array {
  const strings = (attributes: Record<string, string>) =>
    Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  return encodeTracesData({
    resourceSpans: sent.map((span) => ({
      resource: { attributes: strings({ 'service.name': span.service }) },
      scopeSpans: [
        {
          scope: {},
          spans: [
            {
              traceId: traceId(span.trace),
              spanId: spanId(span.number),
              ...(span.parent !== undefined && { parentSpanId: spanId(span.parent) }),
              name: span.name,
              kind: span.kind,
              startTimeUnixNano: nanos(span.startMs),
              endTimeUnixNano: nanos(span.startMs + span.durationMs),
              status: { code: span.failed ? 2 : 0 },
              attributes: strings(span.attributes),
              events:
                span.exception === undefined
                  ? []
                  : [
                      {
                        timeUnixNano: nanos(span.startMs + 1),
                        name: 'exception',
                        attributes: strings({
                          'exception.message': span.exception,
                          'exception.type': 'CardError',
                          'exception.stacktrace': 'at charge\nat order',
                        }),
                      },
                    ],
            },
          ],
        },
      ],
    })),
  });
}

export function nanos(ms: number): string {
  return String(BigInt(ms) * 1_000_000n);
}
