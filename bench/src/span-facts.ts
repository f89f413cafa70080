import type { Operation } from './operations.ts';

/**
 * What is true of every span that was sent, as far as the bench asks for it: a row a span, the rows of a trace one
 * after another in the order of the traces in the truth. About 45 bytes a span, made while the data is made.
 */
export class SpanFacts {
  /** Times are counted from here, in nanoseconds since 1970. */
  readonly originNs: bigint;
  /** Names by the numbers in `service`. */
  readonly services: readonly string[];
  /** By the numbers in `operation`. */
  readonly operations: Operation[] = [];
  count = 0;
  service = new Uint8Array(1024);
  pod = new Uint8Array(1024);
  operation = new Uint16Array(1024);
  /** Nanoseconds: exact, because nothing lasts for months. */
  start = new Float64Array(1024);
  duration = new Float64Array(1024);
  failed = new Uint8Array(1024);
  /** `http.response.status_code`, 0 where there is none. */
  httpStatus = new Uint16Array(1024);
  /** The number at the end of `url.full`, plus one; 0 where there is none. */
  url = new Uint32Array(1024);
  /** Whether the span has the order's id. */
  ordered = new Uint8Array(1024);
  /** Row of the parent, -1 for none. */
  parent = new Int32Array(1024);
  /** Of each trace the number in its order's id: two halves. */
  order: number[] = [];
  readonly #operations = new Map<Operation, number>();
  #firstRow = 0;
  // Of the trace being written, by row.
  #rowOf = new Map<string, number>();
  #parents: (string | undefined)[] = [];

  constructor(originNs: bigint, services: readonly string[]) {
    this.originNs = originNs;
    this.services = services;
  }

  beginTrace(orderHigh: number, orderLow: number): void {
    this.order.push(orderHigh, orderLow);
    this.#firstRow = this.count;
    this.#rowOf.clear();
    this.#parents = [];
  }

  /** A span of the trace; what is said with `this.count - 1` as its row belongs to it. */
  add(
    place: { service: number; pod: number; parentHigh: number; parentLow: number },
    operation: Operation,
    [high, low]: readonly [number, number],
    startNs: number,
    durationNs: number,
  ): void {
    if (this.count === this.service.length) this.#grow();
    const row = this.count++;
    this.service[row] = place.service;
    this.pod[row] = place.pod;
    this.operation[row] = this.#numberOf(operation);
    this.start[row] = startNs;
    this.duration[row] = durationNs;
    this.#rowOf.set(`${high}/${low}`, row);
    this.#parents.push(place.parentHigh === 0 ? undefined : `${place.parentHigh}/${place.parentLow}`);
  }

  /** Parents are known only now: they are written after their children. */
  endTrace(): void {
    for (const [at, parent] of this.#parents.entries()) {
      this.parent[this.#firstRow + at] = parent === undefined ? -1 : (this.#rowOf.get(parent) ?? -1);
    }
  }

  /** A text attribute that a span has because all spans of its operation do. */
  textOf(row: number, key: string): string | undefined {
    const value = this.operations[this.operation[row] as number]?.attributes.get(key);
    return typeof value === 'string' ? value : undefined;
  }

  /** `order.id` of a trace. */
  orderId(trace: number): string {
    const hex = (half: number) => half.toString(16).padStart(8, '0');
    return `ord-${hex(this.order[2 * trace] as number)}${hex(this.order[2 * trace + 1] as number)}`;
  }

  #numberOf(operation: Operation): number {
    let number = this.#operations.get(operation);
    if (number === undefined) {
      number = this.operations.push(operation) - 1;
      this.#operations.set(operation, number);
    }
    return number;
  }

  #grow(): void {
    this.service = grown(this.service, Uint8Array);
    this.pod = grown(this.pod, Uint8Array);
    this.operation = grown(this.operation, Uint16Array);
    this.start = grown(this.start, Float64Array);
    this.duration = grown(this.duration, Float64Array);
    this.failed = grown(this.failed, Uint8Array);
    this.httpStatus = grown(this.httpStatus, Uint16Array);
    this.url = grown(this.url, Uint32Array);
    this.ordered = grown(this.ordered, Uint8Array);
    this.parent = grown(this.parent, Int32Array);
  }
}

function grown<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(
  from: T,
  type: new (length: number) => T,
): T {
  const to = new type(from.length * 2);
  to.set(from);
  return to;
}
