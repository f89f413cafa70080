/**
 * One span after another as OTLP bytes. Hot path: `npm run bench -- micro` shows its speed; ids and times are
 * pairs of 32-bit halves, constant parts were encoded by the shop.
 */
import { bytesToHex, type Random, utf8Encode } from '@vivace/kernel';
import {
  ATTRIBUTE_TAG,
  attribute,
  attributeKey,
  text,
  writeIdentified,
  writeInteger,
  writeNumbered,
} from './attributes.ts';
import type { Batcher } from './batcher.ts';
import { ByteWriter } from './byte-writer.ts';
import { canonicalSpans, contentHash } from './canonical.ts';
import { type DatasetOptions, originNs } from './dataset-options.ts';
import { longTail } from './long-tail.ts';
import type { Operation } from './operations.ts';
import type { Pod, Service, Shop } from './shop.ts';
import type { SpanFacts } from './span-facts.ts';
import type { SampledTrace } from './truth.ts';

/** Where a span hangs and whose it is. A parent of zeros is none. */
export interface Place {
  service: number;
  pod: number;
  parentHigh: number;
  parentLow: number;
  /** Arrives in the second phase, minutes later. */
  late: boolean;
}

const CACHE_MISS = Uint8Array.from([
  ...text(0x12, 'cache.miss'),
  ...attribute(ATTRIBUTE_TAG.event, 'cache.tier', 'shared'),
  ...attribute(ATTRIBUTE_TAG.event, 'cache.max_age_s', 30),
]);
const KEY = {
  httpStatus: attributeKey('http.response.status_code'),
  full: attributeKey('url.full'),
  order: attributeKey('order.id'),
};
const ORDER = utf8Encode('ord-');
const LINK_REASON = attribute(ATTRIBUTE_TAG.link, 'link.reason', 'same batch');

export class SpanWriter {
  readonly #shop: Shop;
  readonly #options: DatasetOptions;
  readonly #random: Random;
  readonly #batcher: Batcher;
  readonly #tail: ((writer: ByteWriter) => void) | undefined;
  readonly #facts: SpanFacts | undefined;
  readonly #baseHigh: number;
  readonly #baseLow: number;
  readonly #traceId = new Uint8Array(16);
  /** A sampled span between its resource and scope. */
  readonly #whole = new ByteWriter();
  readonly #spanId = new ByteWriter(16);

  #tenant = 0;
  #sampled: SampledTrace | undefined;
  #spans = 0;
  #late = false;
  #orderHigh = 0;
  #orderLow = 0;
  // Of the open span.
  #start = 0;
  #scope = 0;
  #uniqueKeys = 0;

  constructor(shop: Shop, options: DatasetOptions, random: Random, batcher: Batcher, facts: SpanFacts | undefined) {
    this.#facts = facts;
    this.#shop = shop;
    this.#options = options;
    this.#random = random;
    this.#batcher = batcher;
    this.#tail = options.keys > 0 ? longTail(random, options.keys) : undefined;
    const base = originNs(options);
    this.#baseHigh = Number(base >> 32n);
    this.#baseLow = Number(base & 0xffffffffn);
  }

  /** Draws the id of the trace that begins next: first of all its numbers. */
  newTraceId(): void {
    for (let at = 0; at < 16; at += 4) {
      const part = this.#random.u32();
      this.#traceId[at] = part >>> 24;
      this.#traceId[at + 1] = part >>> 16;
      this.#traceId[at + 2] = part >>> 8;
      this.#traceId[at + 3] = part;
    }
  }

  beginTrace(tenant: number, sampled: boolean, orderHigh: number, orderLow: number): void {
    this.#facts?.beginTrace(orderHigh, orderLow);
    this.#orderHigh = orderHigh;
    this.#orderLow = orderLow;
    this.#tenant = tenant;
    this.#spans = 0;
    this.#late = false;
    this.#sampled = sampled ? { traceId: bytesToHex(this.#traceId), tenant, late: false, spans: new Map() } : undefined;
  }

  /** The trace's id, valid until the next begins. */
  get traceId(): Uint8Array {
    return this.#traceId;
  }

  /** Spans of this trace so far, those of the second phase included. */
  get spans(): number {
    return this.#spans;
  }

  endTrace(): { late: boolean; sampled: SampledTrace | undefined } {
    if (this.#sampled !== undefined) this.#sampled.late = this.#late;
    this.#facts?.endTrace();
    return { late: this.#late, sampled: this.#sampled };
  }

  /** Begins a span with everything that all spans have; attributes may follow, then `event`, `link`, `close`. */
  open(place: Place, operation: Operation, high: number, low: number, startNs: number, endNs: number): ByteWriter {
    const writer = this.#batcher.writer(this.#tenant, place.late ? 1 : 0, place.service, place.pod, operation.scope);
    const shiftNs = this.#shiftNs(place);
    this.#scope = operation.scope;
    writer.byte(0x12);
    this.#start = writer.openLength();
    writer.byte(0x0a);
    writer.byte(16);
    writer.put(this.#traceId);
    writer.byte(0x12);
    writer.byte(8);
    writer.id64(high, low);
    if (place.parentHigh !== 0) {
      writer.byte(0x22);
      writer.byte(8);
      writer.id64(place.parentHigh, place.parentLow);
    }
    writer.put(operation.name);
    writer.byte(0x30);
    writer.byte(operation.kind);
    writer.byte(0x39);
    this.#time(writer, startNs + shiftNs);
    writer.byte(0x41);
    this.#time(writer, endNs + shiftNs);
    writer.put(operation.fixed);
    this.#facts?.add(place, operation, [high, low], startNs + shiftNs, endNs - startNs);
    if (this.#sampled !== undefined) {
      this.#spanId.reset();
      this.#spanId.id64(high, low);
    }
    return writer;
  }

  /** The failure's status and its exception with a stack trace. */
  fail(writer: ByteWriter, place: Place, failure: number, atNs: number): void {
    const what = this.#shop.failures[failure] as Shop['failures'][number];
    this.#event(writer, place, atNs, what.event[place.service] as Uint8Array);
    writer.put(what.status);
    if (this.#facts !== undefined) this.#facts.failed[this.#facts.count - 1] = 1;
  }

  httpStatus(writer: ByteWriter, status: number): void {
    writeInteger(writer, ATTRIBUTE_TAG.span, KEY.httpStatus, status);
    if (this.#facts !== undefined) this.#facts.httpStatus[this.#facts.count - 1] = status;
  }

  /** `url.full`: what all have in front, and a number. */
  url(writer: ByteWriter, prefix: Uint8Array, number: number): void {
    writeNumbered(writer, ATTRIBUTE_TAG.span, KEY.full, prefix, number);
    if (this.#facts !== undefined) this.#facts.url[this.#facts.count - 1] = number + 1;
  }

  /** The id of the trace's order. */
  order(writer: ByteWriter): void {
    writeIdentified(writer, ATTRIBUTE_TAG.span, KEY.order, ORDER, this.#orderHigh, this.#orderLow);
    if (this.#facts !== undefined) this.#facts.ordered[this.#facts.count - 1] = 1;
  }

  cacheMiss(writer: ByteWriter, place: Place, atNs: number): void {
    this.#event(writer, place, atNs, CACHE_MISS);
  }

  /** A link to a span of some other trace. */
  link(writer: ByteWriter): void {
    const random = this.#random;
    writer.byte(0x6a);
    const start = writer.openLength();
    writer.byte(0x0a);
    writer.byte(16);
    for (let half = 0; half < 2; half++) writer.id64(random.u32(), random.u32());
    writer.byte(0x12);
    writer.byte(8);
    writer.id64(random.u32(), random.u32());
    writer.put(LINK_REASON);
    writer.closeLength(start);
  }

  close(writer: ByteWriter, place: Place): void {
    if (this.#tail !== undefined) this.#tail(writer);
    if (this.#options.uniqueKeys) for (let i = 0; i < 3; i++) this.#uniqueKey(writer);
    // flags: sampled (bit 0), and known to be of a local parent (bit 8)
    writer.byte(0x85);
    writer.byte(0x01);
    writer.fixed32(0x101);
    writer.closeLength(this.#start);
    this.#spans++;
    if (place.late) this.#late = true;
    if (this.#sampled !== undefined) this.#remember(this.#sampled, writer, place);
    this.#batcher.rotate();
  }

  #event(writer: ByteWriter, place: Place, atNs: number, rest: Uint8Array): void {
    writer.byte(0x5a);
    const start = writer.openLength();
    writer.byte(0x09);
    this.#time(writer, atNs + this.#shiftNs(place));
    writer.put(rest);
    writer.closeLength(start);
  }

  #uniqueKey(writer: ByteWriter): void {
    const number = this.#uniqueKeys++;
    writeInteger(writer, ATTRIBUTE_TAG.span, attributeKey(`once.${number}`), number);
  }

  /** Keeps a sampled span's hash: put between its resource and scope it is read as an answer will be. */
  #remember(sampled: SampledTrace, writer: ByteWriter, place: Place): void {
    const pod = (this.#shop.services[place.service] as Service).pods[place.pod] as Pod;
    const whole = this.#whole;
    whole.reset();
    whole.byte(0x0a);
    const outer = whole.openLength();
    whole.put(pod.resource);
    whole.byte(0x12);
    const inner = whole.openLength();
    whole.put(pod.scopes[this.#scope] as Uint8Array);
    whole.put(writer.view(this.#start - 3));
    whole.put(pod.schemaUrl);
    whole.closeLength(inner);
    whole.put(pod.schemaUrl);
    whole.closeLength(outer);
    for (const span of canonicalSpans(whole.view())) {
      sampled.spans.set(bytesToHex(this.#spanId.view()), contentHash(span.text));
    }
  }

  #time(writer: ByteWriter, sinceBaseNs: number): void {
    const low = this.#baseLow + (sinceBaseNs % 4294967296);
    const carry = low >= 4294967296 ? 1 : 0;
    writer.fixed64(this.#baseHigh + Math.floor(sinceBaseNs / 4294967296) + carry, low - carry * 4294967296);
  }

  /** From the dataset's start to the clock of a span: its pod's error, and minutes for what arrives late. */
  #shiftNs(place: Place): number {
    const pod = (this.#shop.services[place.service] as Service).pods[place.pod] as Pod;
    return this.#options.clockSkewMs * 1e6 + pod.skewNs + (place.late ? this.#options.lateMs * 1e6 : 0);
  }
}
