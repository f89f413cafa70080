import { bytesToHex, SINGLE_TENANT, systemClock } from '@vivace/kernel';
import { createMetrics } from '@vivace/telemetry';
import { capturingLogger } from '@vivace/telemetry/testing';
import { onTestFinished } from 'vitest';
import { type Api, type ApiOptions, createApi } from '../api.ts';
import type { FindTraceOptions, TraceAnswer, TraceFinder } from '../trace-finder.ts';
import { encodeTracesData } from './grafana-trace.ts';

/** A finder over answers that a test puts there, by tenant and trace id. */
class TableTraceFinder implements TraceFinder {
  readonly asked: { tenant: string; traceId: string; options: FindTraceOptions }[] = [];
  private readonly answers = new Map<string, () => Promise<TraceAnswer> | TraceAnswer>();

  set(traceId: string, answer: Partial<TraceAnswer> | (() => Promise<TraceAnswer>), tenant = SINGLE_TENANT): void {
    const whole = { trace: new Uint8Array(0), complete: true, problems: [], truncated: false, inspectedBytes: 0 };
    const key = `${tenant}/${traceId.padStart(32, '0')}`;
    this.answers.set(key, typeof answer === 'function' ? answer : () => ({ ...whole, ...answer }));
  }

  async findTrace(tenant: string, id: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer> {
    const traceId = bytesToHex(id);
    this.asked.push({ tenant, traceId, options });
    const answer = this.answers.get(`${tenant}/${traceId}`);
    if (answer) return answer();
    return { trace: new Uint8Array(0), complete: true, problems: [], truncated: false, inspectedBytes: 0 };
  }
}

export interface TestApi {
  api: Api;
  url: string;
  port: number;
  finder: TableTraceFinder;
  /** What `/ready` waits for. */
  missing: string[];
  lines: Record<string, unknown>[];
}

/** A started API on a free port that stops when the test ends. */
export async function startTestApi(options: Partial<ApiOptions> = {}): Promise<TestApi> {
  const api = await startSharedApi(options);
  onTestFinished(() => api.api.stop());
  return api;
}

/** As `startTestApi`, for many tests: its caller stops it. */
export async function startSharedApi(options: Partial<ApiOptions>): Promise<TestApi> {
  const finder = new TableTraceFinder();
  const missing: string[] = [];
  const { logger, lines } = capturingLogger();
  const api = createApi({
    host: '127.0.0.1',
    port: 0,
    tenancy: { enabled: false, multiTenantQueries: true },
    finder,
    build: { version: '0.1.0', revision: 'abc' },
    notReady: () => missing,
    flush: async () => {},
    configYaml: () => 'server:\n  http_listen_port: 3200\n',
    logger,
    metrics: createMetrics(),
    clock: systemClock,
    ...options,
  });
  await api.start({ signal: new AbortController().signal });
  return { api, url: api.address.url, port: api.address.port, finder, missing, lines };
}

/** One resource with `spans` spans, everything Grafana needs in place. */
export function exampleTrace(traceId: string, { spans = 2, service = 'shop' } = {}): Uint8Array {
  const id = Buffer.from(traceId.padStart(32, '0'), 'hex');
  return encodeTracesData({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
        scopeSpans: [
          {
            scope: {},
            spans: Array.from({ length: spans }, (_, i) => ({
              traceId: id,
              spanId: Buffer.from((i + 1).toString(16).padStart(16, '0'), 'hex'),
              name: `GET /${i}`,
              kind: 2,
              startTimeUnixNano: '1795000000000000001',
              endTimeUnixNano: '1795000000000000002',
              attributes: [{ key: 'n', value: { intValue: '9007199254740993' } }],
              status: {},
            })),
          },
        ],
      },
    ],
  });
}
