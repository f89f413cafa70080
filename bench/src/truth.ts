import { bytesToHex } from '@vivace/kernel';
import type { SpanFacts } from './span-facts.ts';

/**
 * What was sent, so that answers can be judged: every trace's id and number of spans, and of an even sample of
 * traces every span's identity and the hash of its whole content.
 */
export interface Truth {
  spans: number;
  traces: number;
  /** Percent traces with a late part, counted. */
  lateTraces: number;
  bytes: number;
  sample: SampledTrace[];
  giant: { traceId: string; spans: number } | undefined;
  /** Sixteen bytes a trace. */
  ids: Uint8Array;
  counts: Uint32Array;
  tenants: Uint16Array;
  /** What queries are judged by; undefined where none are asked. */
  facts: SpanFacts | undefined;
}

export interface SampledTrace {
  /** 32 hex digits. */
  traceId: string;
  tenant: number;
  late: boolean;
  /** Span id in hex → hash of its canonical text. */
  spans: Map<string, string>;
}

export function createTruth(): Truth {
  return {
    spans: 0,
    traces: 0,
    lateTraces: 0,
    bytes: 0,
    sample: [],
    giant: undefined,
    ids: new Uint8Array(16 * 1024),
    counts: new Uint32Array(1024),
    tenants: new Uint16Array(1024),
    facts: undefined,
  };
}

export function addTrace(truth: Truth, id: Uint8Array, spans: number, tenant: number): void {
  const at = truth.traces++;
  if (at === truth.counts.length) {
    truth.ids = doubled(truth.ids, Uint8Array);
    truth.counts = doubled(truth.counts, Uint32Array);
    truth.tenants = doubled(truth.tenants, Uint16Array);
  }
  truth.ids.set(id, at * 16);
  truth.counts[at] = spans;
  truth.tenants[at] = tenant;
  truth.spans += spans;
}

function doubled<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, type: new (length: number) => T): T {
  const to = new type(from.length * 2);
  to.set(from);
  return to;
}

export function traceIdAt(truth: Truth, at: number): string {
  return bytesToHex(truth.ids.subarray(at * 16, at * 16 + 16));
}

/** The value of `X-Scope-OrgID` for a tenant's number. */
export function tenantName(tenant: number): string {
  return `shop-${String(tenant).padStart(3, '0')}`;
}
