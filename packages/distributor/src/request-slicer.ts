import type { Rendezvous } from '@vivace/cluster';
import { malformed, WireScanner } from '@vivace/columns';
import { Slice } from './slice.ts';

// Hot path: every request of a split deployment passes here. The bytes of spans are not looked at beyond the trace id.
// Benchmark: slice.bench.ts.

const RESOURCE_SPANS = 0x0a;
const SCOPE_SPANS = 0x12;
const SPAN = 0x12;
const TRACE_ID = 0x0a;
const ID_BYTES = 16;

/**
 * Splits an encoded ExportTraceServiceRequest by trace id: each member gets the spans of its traces, under the resource
 * and scope that they have in the request. Whether the spans themselves are sound is for the ingesters to judge.
 */
export class RequestSlicer extends WireScanner {
  #tenant = '';
  #ring: Rendezvous | undefined;
  #slices: (Slice | undefined)[] = [];
  #request: Uint8Array = new Uint8Array(0);
  #resource: number[] = [];
  #scope: number[] = [];

  /** Throws a `data` error when the bytes are no request. A request without spans has no slices. */
  slice(tenant: string, request: Uint8Array, ring: Rendezvous): Slice[] {
    if (ring.members.length === 1) return [Slice.whole(tenant, ring.members[0] as string, request)];
    this.open(request);
    this.#tenant = tenant;
    this.#ring = ring;
    this.#request = request;
    this.#slices = Array.from(ring.members, () => undefined);
    for (let at = 0; at < request.length; ) {
      const tag = this.tag(at, request.length);
      if (tag === RESOURCE_SPANS) {
        at = this.enter(this.next, request.length);
        this.#sliceResource(this.next, at);
      } else if (tag >>> 3 === 1) throw malformed('a field has the wrong wire type');
      else at = this.skip(tag, this.next, request.length);
    }
    return this.#slices.filter((slice) => slice !== undefined);
  }

  #sliceResource(from: number, end: number): void {
    const owner = this.#resource;
    this.#readOwner(from, end, owner);
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      if (tag === SCOPE_SPANS) {
        at = this.enter(this.next, end);
        this.#sliceScope(this.next, at);
      } else at = this.skip(tag, this.next, end);
    }
    for (const slice of this.#slices) slice?.endResource();
  }

  #sliceScope(from: number, end: number): void {
    const owner = this.#scope;
    this.#readOwner(from, end, owner);
    const ring = this.#ring as Rendezvous;
    const slices = this.#slices;
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      if (tag !== SPAN) {
        at = this.skip(tag, this.next, end);
        continue;
      }
      const to = this.enter(this.next, end);
      const member = this.#memberOf(this.next, to, ring);
      let slice = slices[member];
      if (slice === undefined) {
        slice = new Slice(this.#tenant, ring.members[member] as string, this.#request);
        slices[member] = slice;
      }
      slice.addSpan(at, to, this.#resource, owner);
      at = to;
    }
    for (const slice of slices) slice?.endScope();
  }

  /** The ranges of the fields of ResourceSpans or ScopeSpans that are not what they hold (number 2 of both). */
  #readOwner(from: number, end: number, ranges: number[]): void {
    ranges.length = 0;
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      const to = this.skip(tag, this.next, end);
      if (tag !== SPAN) ranges.push(at, to);
      at = to;
    }
  }

  /** Spans without a sound trace id go anywhere: they are refused there, one by one. */
  #memberOf(from: number, end: number, ring: Rendezvous): number {
    const { bytes } = this;
    // Where every exporter puts it.
    if (end - from >= 2 + ID_BYTES && bytes[from] === TRACE_ID && bytes[from + 1] === ID_BYTES) {
      return this.#choose(from + 2, ring);
    }
    let idAt = -1;
    for (let at = from; at < end; ) {
      const tag = this.tag(at, end);
      const valueAt = this.next;
      at = this.skip(tag, valueAt, end);
      if (tag === TRACE_ID && at - ID_BYTES >= valueAt) idAt = at - ID_BYTES;
    }
    return idAt < 0 ? 0 : this.#choose(idAt, ring);
  }

  #choose(at: number, ring: Rendezvous): number {
    const { view } = this;
    return ring.choose(
      view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
    );
  }
}
