import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { canonicalSpans, contentHash } from './canonical.ts';
import { createDataset, type DatasetRequest } from './dataset.ts';
import { storeDataset } from './dataset-file.ts';
import { type DatasetOptions, SCENARIOS, SHOP } from './dataset-options.ts';
import { traceIdAt } from './truth.ts';

const START_MS = 1_763_700_000_000;

function options(more: Partial<DatasetOptions> = {}): DatasetOptions {
  return { ...SHOP, spans: 4000, startMs: START_MS, ...more };
}

function drain(more: Partial<DatasetOptions> = {}) {
  const { truth, requests } = createDataset(options(more));
  return { truth, requests: [...requests] };
}

function digest(requests: readonly DatasetRequest[]): string {
  return requests.map(({ bytes, ...rest }) => hash('sha1', bytes) + JSON.stringify(rest)).join();
}

/** Trace id + span id → canonical texts, one for every time the span is in the requests. */
function spansOf(requests: readonly DatasetRequest[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { bytes } of requests) {
    for (const { traceId, spanId, text } of canonicalSpans(bytes)) {
      const key = traceId + spanId;
      found.set(key, [...(found.get(key) ?? []), text]);
    }
  }
  return found;
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15; fixed32 flags = 16;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; repeated KeyValue attributes = 4; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`);
const Request = root.lookupType('Request');

interface PlainValue {
  stringValue?: string;
  intValue?: string;
}
interface PlainSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: PlainValue }[];
  events: { name: string; attributes: { key: string; value: PlainValue }[] }[];
  links: unknown[];
  status: { message: string; code: number } | null;
}
interface PlainRequest {
  resourceSpans: {
    resource: { attributes: { key: string; value: PlainValue }[] };
    scopeSpans: { scope: { name: string }; spans: PlainSpan[] }[];
  }[];
}

function decode(requests: readonly DatasetRequest[]): PlainRequest['resourceSpans'] {
  const settings = { longs: String, bytes: String, defaults: true };
  return requests.flatMap(({ bytes }) => {
    const decoded = Request.decode(bytes);
    // Nothing is lost on the way through another implementation: no unknown field, no length too long.
    expect(Request.encode(decoded).finish().length).toBe(bytes.length);
    return (Request.toObject(decoded, settings) as PlainRequest).resourceSpans;
  });
}

describe('the dataset', () => {
  it('is the same for the same seed and another for another', () => {
    const hard = { ...SCENARIOS.hard, spans: 3000 };
    expect(digest(drain(hard).requests)).toBe(digest(drain(hard).requests));
    expect(digest(drain(hard).requests)).not.toBe(digest(drain({ ...hard, seed: 2 }).requests));
  });

  it('is valid OTLP of a shop of 24 services with three pods each', () => {
    const resources = decode(drain({ spans: 10_000 }).requests);
    const services = new Set<string>();
    const pods = new Set<string>();
    const kinds = new Set<number>();
    let errors = 0;
    let links = 0;
    for (const { resource, scopeSpans } of resources) {
      const value = (key: string) =>
        resource.attributes.find((attribute) => attribute.key === key)?.value.stringValue as string;
      services.add(value('service.name'));
      pods.add(value('k8s.pod.name'));
      for (const { scope, spans } of scopeSpans) {
        expect(scope.name).not.toBe('');
        for (const span of spans) {
          expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
          expect(Number(BigInt(span.startTimeUnixNano) / 1_000_000n)).toBeGreaterThanOrEqual(START_MS);
          const keys = span.attributes.map(({ key }) => key);
          expect(new Set(keys).size).toBe(keys.length);
          kinds.add(span.kind);
          links += span.links.length;
          if (span.status?.code !== 2) continue;
          errors++;
          const stack = span.events[0]?.attributes.find(({ key }) => key === 'exception.stacktrace');
          expect(stack?.value.stringValue?.split('\n').length).toBeGreaterThan(8);
        }
      }
    }
    expect(services.size).toBe(24);
    // Three pods each; some services see so few requests that not every pod gets one.
    expect(pods.size).toBeGreaterThan(66);
    expect(pods.size).toBeLessThanOrEqual(72);
    expect([...kinds].sort((a, b) => a - b)).toEqual([2, 3, 4, 5]);
    expect(errors).toBeGreaterThan(5);
    expect(links).toBeGreaterThan(20);
  });

  it('is of whole traces: one root each, every parent there', () => {
    const byTrace = new Map<string, PlainSpan[]>();
    for (const { scopeSpans } of decode(drain().requests)) {
      for (const { spans } of scopeSpans) {
        for (const span of spans) byTrace.set(span.traceId, [...(byTrace.get(span.traceId) ?? []), span]);
      }
    }
    for (const spans of byTrace.values()) {
      const ids = new Set(spans.map(({ spanId }) => spanId));
      expect(spans.filter(({ parentSpanId }) => parentSpanId === '')).toHaveLength(1);
      expect(spans.every(({ parentSpanId }) => parentSpanId === '' || ids.has(parentSpanId))).toBe(true);
    }
  });

  it('has about 440 bytes a span and about 13 spans a trace', () => {
    const { truth } = drain({ spans: 20_000 });
    expect(truth.bytes / truth.spans).toBeGreaterThan(420);
    expect(truth.bytes / truth.spans).toBeLessThan(460);
    expect(truth.spans / truth.traces).toBeGreaterThan(11.5);
    expect(truth.spans / truth.traces).toBeLessThan(14.5);
  });

  it.each(Object.keys(SCENARIOS))('says the truth about its bytes: %s', (scenario) => {
    const giant = scenario === 'million-span-trace' ? { giantTraceSpans: 5000 } : {};
    const { truth, requests } = drain({ ...SCENARIOS[scenario], ...giant, spans: 2000 });
    const found = spansOf(requests.filter(({ resend }) => !resend));
    expect(found.size).toBe(truth.spans);
    const counts = new Map<string, number>();
    for (const [key, texts] of found) {
      expect(texts).toHaveLength(1);
      counts.set(key.slice(0, 32), (counts.get(key.slice(0, 32)) ?? 0) + 1);
    }
    expect(counts.size).toBe(truth.traces);
    for (let at = 0; at < truth.traces; at++) expect(counts.get(traceIdAt(truth, at))).toBe(truth.counts[at]);
    expect(truth.sample.length).toBeGreaterThan(100);
    for (const { traceId, spans } of truth.sample) {
      expect(spans.size).toBe(counts.get(traceId));
      for (const [spanId, sent] of spans) expect(contentHash(found.get(traceId + spanId)?.[0] as string)).toBe(sent);
    }
    expect(requests.reduce((sum, { spans, resend }) => sum + (resend ? 0 : spans), 0)).toBe(truth.spans);
  });

  it('has keys of a long tail, of every type', () => {
    const keys = new Map<string, number>();
    for (const { scopeSpans } of decode(drain({ keys: 500, spans: 10_000 }).requests)) {
      for (const { spans } of scopeSpans) {
        for (const { attributes } of spans) {
          for (const { key } of attributes) if (key.startsWith('app.')) keys.set(key, (keys.get(key) ?? 0) + 1);
        }
      }
    }
    expect(keys.size).toBeGreaterThan(480);
    const sorted = [...keys.values()].sort((a, b) => b - a);
    expect(sorted[0]).toBeGreaterThan(50 * (sorted.at(-1) as number));
  });

  it('has tenants of very different sizes, none mixed with another', () => {
    const { requests, truth } = drain({ tenants: 200, spans: 20_000 });
    const spans = new Map<number, number>();
    for (const { tenant, spans: count } of requests) spans.set(tenant, (spans.get(tenant) ?? 0) + count);
    const sizes = [...spans.values()].sort((a, b) => b - a);
    expect(sizes.length).toBeGreaterThan(150);
    expect(sizes[0]).toBeGreaterThan(20 * (sizes.at(-1) as number));
    const tenantOf = new Map(truth.sample.map(({ traceId, tenant }) => [traceId, tenant]));
    for (const { bytes, tenant } of requests) {
      for (const { traceId } of canonicalSpans(bytes)) expect(tenantOf.get(traceId) ?? tenant).toBe(tenant);
    }
  });

  it('sends a part of some traces in a second phase, minutes later', () => {
    const { truth, requests } = drain({ lateTraces: 30 });
    const early = new Set<string>();
    const split = new Set<string>();
    for (const { bytes } of requests.filter(({ phase }) => phase === 0)) {
      for (const { traceId } of canonicalSpans(bytes)) early.add(traceId);
    }
    for (const { bytes } of requests.filter(({ phase }) => phase === 1)) {
      for (const { traceId, text } of canonicalSpans(bytes)) {
        split.add(traceId);
        expect(startOf(text)).toBeGreaterThan(BigInt(START_MS + SHOP.lateMs) * 1_000_000n);
      }
    }
    expect(split.size).toBe(truth.lateTraces);
    expect(split.size).toBeGreaterThan(20);
    // The root is never late.
    for (const traceId of split) expect(early.has(traceId)).toBe(true);
  });

  it('sends some requests twice, byte for byte', () => {
    const { requests } = drain({ resends: 50, spans: 20_000 });
    const resent = requests.filter(({ resend }) => resend);
    expect(resent.length).toBeGreaterThan(5);
    for (const { bytes } of resent) {
      expect(requests.filter((other) => !other.resend && other.bytes === bytes)).toHaveLength(1);
    }
  });

  it('has clocks that are wrong, each pod by as much', () => {
    const { requests } = drain({ clockSkewMs: 60_000 });
    const parents = new Map<string, bigint>();
    const children: [string, bigint][] = [];
    for (const { scopeSpans } of decode(requests)) {
      for (const { spans } of scopeSpans) {
        for (const { traceId, spanId, parentSpanId, startTimeUnixNano } of spans) {
          parents.set(traceId + spanId, BigInt(startTimeUnixNano));
          if (parentSpanId !== '') children.push([traceId + parentSpanId, BigInt(startTimeUnixNano)]);
        }
      }
    }
    const before = children.filter(([parent, start]) => start < (parents.get(parent) as bigint));
    expect(before.length).toBeGreaterThan(children.length / 20);
  });

  it('has three keys a span that never occur again', () => {
    const keys: string[] = [];
    for (const { scopeSpans } of decode(drain({ uniqueKeys: true, spans: 2000 }).requests)) {
      for (const { spans } of scopeSpans) {
        for (const { attributes } of spans) {
          const own = attributes.filter(({ key }) => key.startsWith('once.'));
          expect(own).toHaveLength(3);
          keys.push(...own.map(({ key }) => key));
        }
      }
    }
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is read back from its file as it was made', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'vivace-bench-test-'));
    const signal = new AbortController().signal;
    const hard = { ...SCENARIOS.hard, spans: 3000 };
    const stored = await storeDataset(options(hard), path.join(directory, 'dataset'), signal);
    try {
      const { requests } = drain(hard);
      const wanted = [0, 1].flatMap((phase) => requests.filter((request) => request.phase === phase));
      const read = await Promise.all(
        stored.phases.flat().map(async (request) => hash('sha1', await stored.read(request))),
      );
      expect(read).toEqual(wanted.map(({ bytes }) => hash('sha1', bytes)));
    } finally {
      await stored.close();
      await rm(directory, { recursive: true });
    }
  });
});

/** Field 7 of a span's canonical text. */
function startOf(text: string): bigint {
  return BigInt(`0x${/ 7:x([0-9a-f]{16})/.exec(text)?.[1]}`);
}
