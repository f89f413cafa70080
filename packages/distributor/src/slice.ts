import type { RemoteSlice } from '@vivace/rpc';

// Hot path: what is cut out of a request is a list of numbers, and copied once, to where it is sent from.

const RESOURCE_SPANS = 0x0a;
const SCOPE_SPANS = 0x12;
/** Shorter pieces are copied faster by a loop than by a call. */
const SHORT_BYTES = 32;

/** Those spans of a request that go to one ingester, below the resources and scopes that they have there. */
export class Slice implements RemoteSlice {
  readonly tenant: string;
  /** The name of the ingester. */
  readonly member: string;
  readonly #source: Uint8Array;
  /** Pairs: from and to of bytes that are copied, or a negated tag and the length of the message that begins. */
  readonly #cuts: number[] = [];
  #resourceAt = -1;
  #resourceLength = 0;
  #scopeAt = -1;
  #scopeLength = 0;
  length = 0;
  spans = 0;

  constructor(tenant: string, member: string, source: Uint8Array) {
    this.tenant = tenant;
    this.member = member;
    this.#source = source;
  }

  /** A whole request, its spans not counted. */
  static whole(tenant: string, member: string, source: Uint8Array): Slice {
    const slice = new Slice(tenant, member, source);
    slice.#copy(0, source.length);
    slice.length = source.length;
    return slice;
  }

  /** Adds the field [from, to); `resource` and `scope` are the ranges of what it lies below. */
  addSpan(from: number, to: number, resource: readonly number[], scope: readonly number[]): void {
    if (this.#scopeAt < 0) {
      if (this.#resourceAt < 0) {
        this.#resourceAt = this.#open(RESOURCE_SPANS);
        this.#resourceLength = this.#copyAll(resource);
      }
      this.#scopeAt = this.#open(SCOPE_SPANS);
      this.#scopeLength = this.#copyAll(scope);
    }
    this.#copy(from, to);
    this.#scopeLength += to - from;
    this.spans++;
  }

  endScope(): void {
    if (this.#scopeAt < 0) return;
    this.#cuts[this.#scopeAt + 1] = this.#scopeLength;
    this.#resourceLength += 1 + varintLength(this.#scopeLength) + this.#scopeLength;
    this.#scopeAt = -1;
  }

  endResource(): void {
    if (this.#resourceAt < 0) return;
    this.#cuts[this.#resourceAt + 1] = this.#resourceLength;
    this.length += 1 + varintLength(this.#resourceLength) + this.#resourceLength;
    this.#resourceAt = -1;
  }

  copyTo(target: Uint8Array, start: number): void {
    const source = this.#source;
    const cuts = this.#cuts;
    let at = start;
    for (let i = 0; i < cuts.length; i += 2) {
      const from = cuts[i] as number;
      const to = cuts[i + 1] as number;
      if (from < 0) {
        target[at++] = -from;
        let rest = to;
        for (; rest > 127; rest >>>= 7) target[at++] = (rest & 127) | 128;
        target[at++] = rest;
      } else if (to - from < SHORT_BYTES) for (let j = from; j < to; j++) target[at++] = source[j] as number;
      else {
        target.set(source.subarray(from, to), at);
        at += to - from;
      }
    }
  }

  #open(tag: number): number {
    return this.#cuts.push(-tag, 0) - 2;
  }

  #copyAll(ranges: readonly number[]): number {
    let length = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      this.#copy(ranges[i] as number, ranges[i + 1] as number);
      length += (ranges[i + 1] as number) - (ranges[i] as number);
    }
    return length;
  }

  /** Pieces that touch become one. */
  #copy(from: number, to: number): void {
    const cuts = this.#cuts;
    const last = cuts.length - 2;
    if (last >= 0 && (cuts[last] as number) >= 0 && cuts[last + 1] === from) cuts[last + 1] = to;
    else cuts.push(from, to);
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest >>>= 7) length++;
  return length;
}
