/**
 * The shape of the shop's traces: who calls whom, what it does meanwhile and how long it takes. Hot path:
 * `npm run bench -- micro` shows its speed.
 */
import { bytesToHex, fraction, type Random, utf8Encode } from '@vivace/kernel';
import { ATTRIBUTE_TAG, attributeKey, writeIdentified, writeInteger, writeNumbered } from './attributes.ts';
import type { Batcher } from './batcher.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { DatasetOptions } from './dataset-options.ts';
import { zipf } from './long-tail.ts';
import { type Operation, PODS, SCOPE } from './operations.ts';
import type { Pod, Service, Shop } from './shop.ts';
import { type Place, SpanWriter } from './span-writer.ts';
import { addTrace, type Truth } from './truth.ts';

const SPAN = ATTRIBUTE_TAG.span;
const KEY = {
  path: attributeKey('url.path'),
  bodySize: attributeKey('http.response.body.size'),
  rpcStatus: attributeKey('rpc.grpc.status_code'),
  rows: attributeKey('db.response.returned_rows'),
  query: attributeKey('db.query.text'),
  messageId: attributeKey('messaging.message.id'),
  offset: attributeKey('messaging.kafka.offset'),
  customer: attributeKey('customer.id'),
  thread: attributeKey('thread.id'),
  threadName: attributeKey('thread.name'),
};
const PREFIX = {
  customer: utf8Encode('cust-'),
  message: utf8Encode('msg-'),
  worker: utf8Encode('worker-'),
};
/** Percent of traces in which something fails. */
const FAILING = 3;
const MAX_DEPTH = 7;
const MAX_SPANS = 400;

/** Writes whole traces into a batcher and what they hold into the truth. */
export class TraceWriter {
  readonly #shop: Shop;
  readonly #random: Random;
  readonly #batcher: Batcher;
  readonly #truth: Truth;
  readonly #spans: SpanWriter;
  readonly #latePercent: number;
  readonly #pickTenant: () => number;

  // Of the trace being written.
  #tenant = 0;
  /** Spans it may still grow by. */
  #budget = 0;
  /** Which failure is still to happen, -1 for none. */
  #failure = -1;
  #customer = 0;
  #splits = false;

  constructor(shop: Shop, options: DatasetOptions, random: Random, batcher: Batcher, truth: Truth) {
    this.#shop = shop;
    this.#random = random;
    this.#batcher = batcher;
    this.#truth = truth;
    this.#spans = new SpanWriter(shop, options, random, batcher, truth.facts);
    this.#latePercent = options.lateTraces;
    this.#pickTenant = options.tenants > 1 ? zipf(random, options.tenants) : () => 0;
  }

  /** One request of a customer and all it sets off, `startNs` after the dataset's start. */
  write(startNs: number, sampled: boolean): void {
    const random = this.#random;
    this.#begin(this.#pickTenant(), sampled);
    this.#budget = Math.min(MAX_SPANS, 4 + Math.floor(this.#around(17.5, 0.8)));
    this.#failure = random.u32() % 100 < FAILING ? random.u32() % this.#shop.failures.length : -1;
    this.#splits = random.u32() % 100 < this.#latePercent;
    const entry = random.u32() % 10 < 7 ? 0 : 1 + (random.u32() % 2);
    const place = { service: entry, pod: this.#pod(), parentHigh: 0, parentLow: 0, late: false };
    this.#serve(place, this.#newId(), random.u32(), startNs, 0, undefined);
    this.#end();
  }

  /** One trace of `spans` spans: a job that asks the whole shop again and again. Pauses now and then. */
  *writeGiant(startNs: number, spans: number): Generator<void> {
    const random = this.#random;
    this.#begin(0, false);
    this.#failure = -1;
    this.#splits = false;
    const rootHigh = this.#newId();
    const rootLow = random.u32();
    this.#budget = 1;
    const root = { service: 0, pod: 0, parentHigh: 0, parentLow: 0, late: false };
    let at = this.#serve(root, rootHigh, rootLow, startNs, MAX_DEPTH, undefined);
    while (this.#spans.spans < spans) {
      this.#budget = Math.min(40, spans - this.#spans.spans);
      const service = random.u32() % this.#shop.services.length;
      const place = { service, pod: this.#pod(), parentHigh: rootHigh, parentLow: rootLow, late: false };
      at = this.#serve(place, this.#newId(), random.u32(), at, 3, undefined);
      yield;
    }
    this.#truth.giant = { traceId: bytesToHex(this.#spans.traceId), spans: this.#spans.spans };
    this.#end();
  }

  #begin(tenant: number, sampled: boolean): void {
    this.#tenant = tenant;
    this.#spans.newTraceId();
    const order = this.#random.u32();
    this.#customer = this.#random.u32() % 50_000;
    this.#spans.beginTrace(tenant, sampled, order, this.#customer);
  }

  #end(): void {
    addTrace(this.#truth, this.#spans.traceId, this.#spans.spans, this.#tenant);
    const { late, sampled } = this.#spans.endTrace();
    if (late) this.#truth.lateTraces++;
    if (sampled !== undefined) this.#truth.sample.push(sampled);
    this.#batcher.rotateOld();
  }

  /** A service's whole work on one request; returns when it ended. Children are written before their parent. */
  #serve(
    place: Place,
    high: number,
    low: number,
    startNs: number,
    depth: number,
    consume: Operation | undefined,
  ): number {
    const random = this.#random;
    const service = this.#shop.services[place.service] as Service;
    this.#budget--;
    const inner: Place = { ...place, parentHigh: high, parentLow: low };
    let at = startNs + 2000 + (random.u32() % 150_000);
    const steps = depth >= MAX_DEPTH ? 0 : 1 + (random.u32() % 4);
    for (let step = 0; step < steps && this.#budget > 0; step++) at = this.#step(service, inner, at, depth);
    const endNs = at + Math.floor(this.#around(6e5, 0.9));
    const overHttp = depth === 0 || (random.u32() & 1) === 0;
    const operations = overHttp ? service.http : service.rpc;
    const operation = consume ?? (operations[random.u32() % operations.length] as Operation);
    const fails = this.#failure >= 0 && (this.#budget <= 0 || depth === 0 || random.u32() % 4 === 0);
    const writer = this.#spans.open(place, operation, high, low, startNs, endNs);
    this.#requestAttributes(writer, service, operation, place, depth, fails);
    if (fails) {
      this.#spans.fail(writer, place, this.#failure, endNs - 1000);
      this.#failure = -1;
    } else if (random.u32() % 20 === 0) this.#spans.cacheMiss(writer, place, at);
    if (consume !== undefined || random.u32() % 100 === 0) this.#spans.link(writer);
    this.#spans.close(writer, place);
    return endNs;
  }

  /** One thing a service does: a call that another serves, a message, a cache command or a query. */
  #step(service: Service, place: Place, startNs: number, depth: number): number {
    const choice = this.#random.u32() % 100;
    if (service.calls.length > 0 && choice < 45) return this.#call(service, place, startNs, depth);
    if (service.publishes !== undefined && choice < 60) return this.#publish(service.publishes, place, startNs, depth);
    if (service.cache.length > 0 && (choice < 75 || service.queries.length === 0)) {
      return this.#cacheCommand(service, place, startNs);
    }
    return this.#databaseQuery(service, place, startNs);
  }

  #call(service: Service, place: Place, startNs: number, depth: number): number {
    const random = this.#random;
    this.#budget--;
    const call = service.calls[random.u32() % service.calls.length] as Service['calls'][number];
    const high = this.#newId();
    const low = random.u32();
    const late = place.late || (this.#splits && depth > 0 && (random.u32() & 1) === 0);
    let endNs = startNs + 900_000;
    if (this.#budget > 0) {
      const callee: Place = { service: call.callee, pod: this.#pod(), parentHigh: high, parentLow: low, late };
      endNs = this.#serve(callee, this.#newId(), random.u32(), startNs + 250_000, depth + 1, undefined) + 250_000;
    }
    const overHttp = (random.u32() & 1) === 0;
    const operation = overHttp ? call.overHttp : call.overRpc;
    const writer = this.#spans.open(place, operation, high, low, startNs, endNs);
    if (overHttp) {
      this.#spans.url(writer, operation.prefix, random.u32() % 1_000_000);
      this.#spans.httpStatus(writer, 200);
    } else {
      writeInteger(writer, SPAN, KEY.rpcStatus, 0);
    }
    this.#spans.close(writer, place);
    return endNs + 10_000;
  }

  /** A message sent now and processed later by another service. */
  #publish(publication: NonNullable<Service['publishes']>, place: Place, startNs: number, depth: number): number {
    const random = this.#random;
    this.#budget--;
    const high = this.#newId();
    const low = random.u32();
    const endNs = startNs + Math.floor(this.#around(4e5, 0.5));
    const writer = this.#spans.open(place, publication.produce, high, low, startNs, endNs);
    writeIdentified(writer, SPAN, KEY.messageId, PREFIX.message, high, low);
    writeInteger(writer, SPAN, KEY.offset, random.u32() % 10_000_000);
    this.#spans.close(writer, place);
    if (this.#budget > 0) {
      const late = place.late || this.#splits;
      const consumer = { service: publication.consumer, pod: this.#pod(), parentHigh: high, parentLow: low, late };
      this.#serve(consumer, this.#newId(), random.u32(), endNs + 5e6, depth + 1, publication.consume);
    }
    return endNs + 10_000;
  }

  #cacheCommand(service: Service, place: Place, startNs: number): number {
    const random = this.#random;
    const operation = service.cache[random.u32() % service.cache.length] as Operation;
    const endNs = startNs + Math.floor(this.#around(2.5e5, 0.7));
    const writer = this.#leaf(place, operation, startNs, endNs);
    writeNumbered(writer, SPAN, KEY.query, operation.prefix, random.u32() % 1_000_000);
    this.#spans.close(writer, place);
    return endNs + 8000;
  }

  #databaseQuery(service: Service, place: Place, startNs: number): number {
    if (service.queries.length === 0) return startNs + 20_000;
    const random = this.#random;
    const operation = service.queries[random.u32() % service.queries.length] as Operation;
    const endNs = startNs + Math.floor(this.#around(1.2e6, 1));
    const writer = this.#leaf(place, operation, startNs, endNs);
    writeInteger(writer, SPAN, KEY.rows, random.u32() % 60);
    writeNumbered(writer, SPAN, KEY.threadName, PREFIX.worker, random.u32() % 16);
    this.#spans.close(writer, place);
    return endNs + 15_000;
  }

  #leaf(place: Place, operation: Operation, startNs: number, endNs: number): ByteWriter {
    this.#budget--;
    return this.#spans.open(place, operation, this.#newId(), this.#random.u32(), startNs, endNs);
  }

  /** What differs from request to request. */
  #requestAttributes(
    writer: ByteWriter,
    service: Service,
    operation: Operation,
    place: Place,
    depth: number,
    fails: boolean,
  ): void {
    const random = this.#random;
    const caller = this.#shop.services[(place.service + depth) % this.#shop.services.length] as Service;
    if (operation.scope === SCOPE.http) {
      writer.put((caller.pods[place.pod] as Pod).clientAddress);
      writeNumbered(writer, SPAN, KEY.path, operation.prefix, random.u32() % 1_000_000);
      const success = operation.write ? 201 : 200;
      this.#spans.httpStatus(writer, fails ? 500 + (random.u32() % 5) : success);
      writeInteger(writer, SPAN, KEY.bodySize, Math.floor(this.#around(2200, 1)));
      if (depth < 2) writer.put(this.#shop.userAgents[random.u32() % this.#shop.userAgents.length] as Uint8Array);
    } else if (operation.scope === SCOPE.rpc) {
      writer.put((caller.pods[place.pod] as Pod).clientAddress);
      writeInteger(writer, SPAN, KEY.rpcStatus, fails ? 14 : 0);
    }
    writeInteger(writer, SPAN, KEY.thread, random.u32() % 200);
    if (depth === 0) writeNumbered(writer, SPAN, KEY.customer, PREFIX.customer, this.#customer);
    if (service.knowsOrder) this.#spans.order(writer);
  }

  /** The high half of a span id; never zero, which would say that there is none. */
  #newId(): number {
    return this.#random.u32() || 1;
  }

  #pod(): number {
    return this.#random.u32() % PODS;
  }

  /** Log-normal about a median, as latencies and sizes are; the normal is approximated by four uniforms. */
  #around(middle: number, sigma: number): number {
    const random = this.#random;
    const sum = fraction(random) + fraction(random) + fraction(random) + fraction(random);
    return middle * Math.exp(sigma * (sum - 2) * Math.sqrt(3));
  }
}
