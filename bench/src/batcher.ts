import { ByteWriter, varintLength } from './byte-writer.ts';
import { PODS, SCOPES } from './operations.ts';
import type { Shop } from './shop.ts';

/** One export request, ready to send. */
export interface ExportRequest {
  bytes: Uint8Array;
  spans: number;
  tenant: number;
  phase: number;
}

interface Batch {
  tenant: number;
  phase: number;
  spans: number;
  /** Spans of all tenants generated when the first of this batch came. */
  openedAt: number;
  /** By pod and scope; the bytes are `ScopeSpans.spans` fields. */
  groups: Map<number, ByteWriter>;
}

/**
 * Collects spans as a Collector's batch processor does: one batch a tenant, grouped by resource and scope, sent
 * when full or when it has waited for too long (counted in spans that went by).
 */
export class Batcher {
  readonly #shop: Shop;
  readonly #requestSpans: number;
  readonly #batches = new Map<number, Batch>();
  readonly #ready: ExportRequest[] = [];
  /** Writers of batches already sent, to use again. */
  readonly #idle: ByteWriter[] = [];
  #generated = 0;
  #current: Batch | undefined;

  constructor(shop: Shop, requestSpans: number) {
    this.#shop = shop;
    this.#requestSpans = requestSpans;
  }

  /** The writer for one more span of a pod and scope. The caller writes exactly one span field. */
  writer(tenant: number, phase: number, service: number, pod: number, scope: number): ByteWriter {
    const batch = this.#batch(tenant, phase);
    const key = (service * PODS + pod) * SCOPES + scope;
    let writer = batch.groups.get(key);
    if (writer === undefined) {
      writer = this.#idle.pop() ?? new ByteWriter();
      writer.reset();
      batch.groups.set(key, writer);
    }
    batch.spans++;
    this.#generated++;
    return writer;
  }

  #batch(tenant: number, phase: number): Batch {
    const current = this.#current;
    if (current !== undefined && current.tenant === tenant && current.phase === phase) return current;
    const key = tenant * 2 + phase;
    let batch = this.#batches.get(key);
    if (batch === undefined) {
      batch = { tenant, phase, spans: 0, openedAt: this.#generated, groups: new Map() };
      this.#batches.set(key, batch);
    }
    this.#current = batch;
    return batch;
  }

  /** Between two spans: batches that are full or old become requests. */
  rotate(): void {
    const current = this.#current;
    if (current !== undefined && current.spans >= this.#requestSpans) this.#send(current);
  }

  /** Between two traces: also those that have waited for 64 full batches. */
  rotateOld(): void {
    const oldest = this.#generated - 64 * this.#requestSpans;
    for (const batch of this.#batches.values()) {
      // Insertion order is age: the first young one ends the search.
      if (batch.openedAt > oldest) break;
      this.#send(batch);
    }
  }

  finish(): void {
    for (const batch of this.#batches.values()) this.#send(batch);
  }

  /** What is ready to be sent, in order; the caller owns the array. */
  take(): ExportRequest[] {
    return this.#ready.splice(0);
  }

  #send(batch: Batch): void {
    this.#batches.delete(batch.tenant * 2 + batch.phase);
    if (this.#current === batch) this.#current = undefined;
    const { tenant, phase, spans, groups } = batch;
    this.#ready.push({ bytes: encodeRequest(this.#shop, groups), spans, tenant, phase });
    for (const writer of groups.values()) if (this.#idle.length < 4096) this.#idle.push(writer);
  }
}

/** `ExportTraceServiceRequest` of the groups, by resource, then scope. */
function encodeRequest(shop: Shop, groups: Map<number, ByteWriter>): Uint8Array {
  const byPod = new Map<number, [number, ByteWriter][]>();
  let total = 64;
  for (const [key, writer] of groups) {
    const pod = Math.floor(key / SCOPES);
    const scopes = byPod.get(pod) ?? [];
    scopes.push([key % SCOPES, writer]);
    byPod.set(pod, scopes);
    total += writer.length + 256;
  }
  const out = new ByteWriter(total + byPod.size * 1024);
  for (const [podKey, scopes] of byPod) {
    const service = shop.services[Math.floor(podKey / PODS)];
    const pod = service?.pods[podKey % PODS];
    if (pod === undefined) throw new Error(`no pod ${podKey}`);
    let length = pod.resource.length + pod.schemaUrl.length;
    for (const [scope, writer] of scopes) {
      const inner = (pod.scopes[scope] as Uint8Array).length + writer.length + pod.schemaUrl.length;
      length += 1 + varintLength(inner) + inner;
    }
    out.byte(0x0a);
    out.varint(length);
    out.put(pod.resource);
    for (const [scope, writer] of scopes) {
      const head = pod.scopes[scope] as Uint8Array;
      out.byte(0x12);
      out.varint(head.length + writer.length + pod.schemaUrl.length);
      out.put(head);
      out.put(writer.view());
      out.put(pod.schemaUrl);
    }
    out.put(pod.schemaUrl);
  }
  return out.view();
}
