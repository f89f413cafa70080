/*
 * What was sent, and what was acknowledged when. Identities are numbers: a trace's id and a span's are computed from
 * the seed and their numbers, so that hours of load are remembered in a few words a span.
 */

/** A request and what it has of each of its traces; all its spans begin at `startMs`. */
export interface SentRequest {
  number: number;
  tenant: string;
  startMs: number;
  spans: number;
  parts: readonly { trace: SentTrace; first: number; count: number }[];
  /** When the first answer 200 came; undefined until then. */
  acknowledgedMs: number | undefined;
}

/** A trace; the number of the request that sent it, for each span. */
export interface SentTrace {
  number: number;
  tenant: string;
  id: string;
  /** Its spans have an attribute by which a rule may keep it longer. */
  marked: boolean;
  requests: number[];
}

/** How often each span of a trace may be in an answer. */
export type Expectation = 'once' | 'once or never' | 'never';

export class Ledger {
  readonly #seed: number;
  readonly traces: SentTrace[] = [];
  readonly requests: SentRequest[] = [];

  constructor(seed: number) {
    this.#seed = seed;
  }

  newTrace(tenant: string): SentTrace {
    const number = this.traces.length;
    const trace = {
      number,
      tenant,
      id: this.#hash(number, 1, 2, 3) + hex(number),
      marked: number % 4 === 0,
      requests: [],
    };
    this.traces.push(trace);
    return trace;
  }

  /** Notes a request of new spans before it is sent. */
  begin(tenant: string, wanted: readonly { trace: SentTrace; count: number }[], startMs: number): SentRequest {
    const number = this.requests.length;
    const parts = wanted.map(({ trace, count }) => {
      const first = trace.requests.length;
      for (let i = 0; i < count; i++) trace.requests.push(number);
      return { trace, first, count };
    });
    const spans = parts.reduce((sum, { count }) => sum + count, 0);
    const request = { number, tenant, startMs, spans, parts, acknowledgedMs: undefined };
    this.requests.push(request);
    return request;
  }

  spanId(trace: SentTrace, index: number): string {
    return this.#hash(trace.number, index + 4) + hex(index);
  }

  request(trace: SentTrace, index: number): SentRequest {
    return this.requests[trace.requests[index] as number] as SentRequest;
  }

  /** The trace of an id; undefined for one that was never sent. */
  traceOf(id: string): SentTrace | undefined {
    const trace = this.traces[Number.parseInt(id.slice(-8), 16)];
    return trace?.id === id ? trace : undefined;
  }

  /** The index of a span of a trace by its id; undefined for one that was never sent. */
  indexOf(trace: SentTrace, spanId: string): number | undefined {
    const index = Number.parseInt(spanId.slice(-8), 16);
    return index < trace.requests.length && this.spanId(trace, index) === spanId ? index : undefined;
  }

  /**
   * The spans of a tenant that begin within (`fromMs`, `toMs`]: those sent at all, and those that an answer must have
   * that was asked for at `askedMs` and came when nothing that began after `keptMs` was expired.
   */
  count(
    tenant: string,
    fromMs: number,
    toMs: number,
    { askedMs, keptMs }: { askedMs: number; keptMs: number },
  ): { due: number; sent: number } {
    let due = 0;
    let sent = 0;
    for (let i = this.#firstAfter(fromMs); i < this.requests.length; i++) {
      const request = this.requests[i] as SentRequest;
      if (request.startMs > toMs) break;
      if (request.tenant !== tenant) continue;
      sent += request.spans;
      const { acknowledgedMs, startMs } = request;
      if (acknowledgedMs !== undefined && acknowledgedMs < askedMs && startMs > keptMs) due += request.spans;
    }
    return { due, sent };
  }

  /** Spans of all tenants that were acknowledged. */
  get acknowledged(): number {
    return this.requests.reduce(
      (sum, { spans, acknowledgedMs }) => sum + (acknowledgedMs === undefined ? 0 : spans),
      0,
    );
  }

  /** Requests in the order of their time that begin after `ms`. */
  requestsAfter(ms: number): SentRequest[] {
    return this.requests.slice(this.#firstAfter(ms));
  }

  /** Requests are noted in the order of their time. */
  #firstAfter(ms: number): number {
    let low = 0;
    let high = this.requests.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.requests[middle] as SentRequest).startMs > ms) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Eight hex digits of each salt. */
  #hash(number: number, ...salts: number[]): string {
    let out = '';
    for (const salt of salts) {
      let z = (this.#seed ^ Math.imul(number + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b)) >>> 0;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      out += hex((z ^ (z >>> 15)) >>> 0);
    }
    return out;
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0');
}
