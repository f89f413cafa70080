import { decodeRawTraces, decodeTraces, encodeTraces, spanTexts, tracesArbitrary } from '@vivace/otlp/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ColumnSet } from './column-set.ts';
import { Columnizer } from './columnize.ts';
import { encodeSpans } from './span-encoder.ts';
import { mergeTrace } from './trace-merge.ts';

const limits = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };

// oxlint-disable-next-line typescript/no-explicit-any -- decoded OTLP is walked by name
type Plain = any;

function emptySet(maxColumns = 1000): { set: ColumnSet; columnizer: Columnizer } {
  const set = new ColumnSet({ seed: 77, maxColumns });
  return { set, columnizer: new Columnizer(set, limits) };
}

/** Every live span of a set as text, with its resource and scope, attributes sorted: the form in which equal spans are equal. */
function storedSpans(set: ColumnSet, decode = decodeTraces): string[] {
  const found: string[] = [];
  for (let trace = 0; trace < set.traces.count; trace++) {
    const spans = encodeSpans(set.view(), set.traces.rows(trace));
    if (spans.count === 0) continue;
    found.push(...spanTexts(decode(mergeTrace([spans], { maxBytes: 1 << 30 }).bytes)));
  }
  return found.sort();
}

/** Gives every span ids that are sound and, among the spans of a request, of their own. */
function withIds(traces: Plain): Plain {
  let next = 1;
  for (const resource of traces.resourceSpans ?? []) {
    for (const scope of resource.scopeSpans ?? []) {
      for (const span of scope.spans ?? []) {
        span.traceId = Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? (next % 3) + 1 : 0));
        span.spanId = Uint8Array.from({ length: 8 }, (_, i) => (i === 0 ? next & 255 : i === 1 ? next >> 8 : 7));
        next++;
      }
    }
  }
  return traces;
}

/** What the only field of a message holds; its length has one byte. */
function inner(bytes: Uint8Array): Uint8Array {
  expect(bytes.length).toBe((bytes[1] as number) + 2);
  return bytes.subarray(2);
}

function message(tag: number, bytes: Uint8Array): Uint8Array {
  expect(bytes.length).toBeLessThan(128);
  return Uint8Array.of(tag, bytes.length, ...bytes);
}

/** Pieces put together in every order. */
function orders(pieces: readonly Uint8Array[]): Uint8Array[] {
  if (pieces.length < 2) return [...pieces];
  return pieces.flatMap((first, i) => orders(pieces.toSpliced(i, 1)).map((rest) => Buffer.concat([first, rest])));
}

describe('the columnizer', () => {
  it('gives every span back as it was sent', () => {
    fc.assert(
      fc.property(tracesArbitrary, fc.constantFrom(0, 3, 1000), (traces, maxColumns) => {
        const bytes = encodeTraces(withIds(traces));
        const { set, columnizer } = emptySet(maxColumns);
        const sent = spanTexts(decodeTraces(bytes));
        expect(columnizer.add(bytes)).toEqual({ accepted: sent.length, rejected: 0, reason: undefined });
        expect(storedSpans(set)).toEqual(sent);
      }),
      { numRuns: 400 },
    );
  });

  it('stores nothing of a request that is cut off or damaged beyond decoding, and never anything else than what it says', () => {
    fc.assert(
      fc.property(tracesArbitrary, fc.nat(), fc.nat(255), fc.boolean(), (traces, place, value, cut) => {
        const whole = encodeTraces(withIds(traces));
        if (whole.length === 0) return;
        const at = place % whole.length;
        const bytes = cut ? whole.slice(0, at) : whole.slice();
        if (!cut) bytes[at] = value;
        const { set, columnizer } = emptySet();
        try {
          const result = columnizer.add(bytes);
          expect(set.count - set.deadCount).toBeLessThanOrEqual(result.accepted);
          encodeSpans(
            set.view(),
            Int32Array.from({ length: set.count }, (_, row) => row),
          );
        } catch (error) {
          expect(error).toMatchObject({ kind: 'data' });
          expect(set.deadCount).toBe(set.count);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('refuses spans with ids that cannot be, says why, and keeps the others', () => {
    const good = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), name: 'good' };
    const bad = [
      { ...good, traceId: new Uint8Array(15).fill(1) },
      { ...good, traceId: new Uint8Array(16) },
      { ...good, spanId: new Uint8Array(0) },
      { ...good, spanId: new Uint8Array(8) },
    ];
    const { set, columnizer } = emptySet();
    const result = columnizer.add(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [...bad, good] }] }] }));
    expect(result).toEqual({ accepted: 1, rejected: 4, reason: 'trace ids must be 16 bytes, received 15' });
    expect(storedSpans(set)).toHaveLength(1);
  });

  it('takes the last of several ids of a span, whatever came before it', () => {
    const { set, columnizer } = emptySet();
    const ids = [Uint8Array.of(0x0a, 2, 1, 1), Uint8Array.of(0x12, 0)];
    ids.push(
      Uint8Array.of(0x0a, 16, ...Array<number>(16).fill(1)),
      Uint8Array.of(0x12, 8, ...Array<number>(8).fill(2)),
    );
    const span = Buffer.concat(ids);
    const request = Uint8Array.of(0x0a, span.length + 4, 0x12, span.length + 2, 0x12, span.length, ...span);
    expect(columnizer.add(request)).toEqual({ accepted: 1, rejected: 0, reason: undefined });
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(request)));
  });

  // Each field in forms that columns hold, and in forms that they do not.
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const varints = [[1], [0], [0x9a, 2], [0xff, 0xff, 0xff, 0xff, 0x1f]];
  const ids = [new Uint8Array(8).fill(5), new Uint8Array(8), new Uint8Array(3).fill(6), new Uint8Array()];
  const texts = [text('a'), Uint8Array.of(0xff), text('')];
  const ownFields = texts.map((value) => message(0x1a, value));
  const spanFields = [
    varints.map((value) => Uint8Array.of(0x30, ...value)),
    ids.map((value) => message(0x22, value)),
    ...[0x2a, 0x1a].map((tag) => texts.map((value) => message(tag, value))),
    ...[0x50, 0x60, 0x70].map((tag) => varints.slice(0, 3).map((value) => Uint8Array.of(tag, ...value))),
    [1, 0].map((value) => Uint8Array.of(0x85, 1, value, 0, 0, 0)),
  ];
  const eventFields = [
    texts.map((value) => message(0x12, value)),
    varints.slice(0, 3).map((value) => Uint8Array.of(0x20, ...value)),
  ];
  const linkFields = [
    [new Uint8Array(16).fill(5), new Uint8Array(2)].map((value) => message(0x0a, value)),
    texts.map((value) => message(0x1a, value)),
    varints.slice(0, 3).map((value) => Uint8Array.of(0x28, ...value)),
    [1, 0].map((value) => Uint8Array.of(0x35, value, 0, 0, 0)),
  ];
  const pairs = (fields: readonly Uint8Array[][]) =>
    fields.flatMap((forms) => forms.flatMap((a) => forms.map((b) => Buffer.concat([a, b]))));
  const soundIds = Buffer.concat([message(0x0a, new Uint8Array(16).fill(1)), message(0x12, new Uint8Array(8).fill(2))]);
  const requestOf = (span: Uint8Array, ofScope = Buffer.of(), ofResource = Buffer.of()): Uint8Array => {
    const scope = Buffer.concat([message(0x12, Buffer.concat([soundIds, span])), ofScope]);
    return message(0x0a, Buffer.concat([message(0x12, scope), ofResource]));
  };

  it.each([
    ['a span', pairs(spanFields).map((fields) => requestOf(fields))],
    ['an event', pairs(eventFields).map((fields) => requestOf(message(0x5a, fields)))],
    ['a link', pairs(linkFields).map((fields) => requestOf(message(0x6a, fields)))],
    ['a scope', pairs([ownFields]).map((fields) => requestOf(Buffer.of(), fields))],
    ['a resource', pairs([ownFields]).map((fields) => requestOf(Buffer.of(), Buffer.of(), fields))],
  ])('takes the last of a field of %s that comes twice', (_, requests) => {
    for (const request of requests) {
      const { set, columnizer } = emptySet();
      expect(columnizer.add(request)).toMatchObject({ accepted: 1 });
      const sent = spanTexts(decodeRawTraces(request));
      expect(storedSpans(set, decodeRawTraces), Buffer.from(request).toString('hex')).toEqual(sent);
    }
  });

  it('merges the statuses of a span', () => {
    const forms = [[0x18, 1], [0x18, 0], [0x18, 0x9a, 2], [0x12, 1, 97], [0x12, 0], [0x12, 1, 0xff], [0x20, 7], []];
    for (const a of forms) {
      for (const b of forms) {
        const apart = requestOf(Buffer.concat([message(0x7a, Uint8Array.from(a)), message(0x7a, Uint8Array.from(b))]));
        const { set, columnizer } = emptySet();
        columnizer.add(apart);
        const merged = spanTexts(decodeRawTraces(requestOf(message(0x7a, Uint8Array.from([...a, ...b])))));
        expect(storedSpans(set, decodeRawTraces), JSON.stringify([a, b])).toEqual(merged);
      }
    }
  });

  it('keeps no row of a refused span that has nothing else, and stores the spans around it', () => {
    const good = (id: number) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(id),
      attributes: [{ key: 'k', value: { intValue: String(id) } }],
    });
    const spans = [good(1), ...Array.from({ length: 10_000 }, () => ({})), good(2)];
    const { set, columnizer } = emptySet();
    const bytes = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect(columnizer.add(bytes)).toMatchObject({ accepted: 2, rejected: 10_000 });
    expect(set.count).toBe(2);
    const kept = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [good(1), good(2)] }] }] });
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(kept)));
  });

  it('keeps the attributes of a span behind a refused one that had the same keys', () => {
    const good = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1) };
    const twice = [1, 2].map((value) => ({ key: 'k', value: { intValue: String(value) } }));
    const refused = [
      { attributes: twice },
      { attributes: [{ key: 'k', value: { arrayValue: {} } }] },
      { events: [{}] },
    ];
    const spans = [...refused, { ...good, attributes: twice, events: [{ name: 'e' }], links: [{ traceState: 's' }] }];
    const { set, columnizer } = emptySet();
    columnizer.add(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    const kept = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: spans.slice(-1) }] }] });
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(kept)));
  });

  it('gives spans their resource and scope wherever these stand in the message, in one piece or apart', () => {
    const attributes = [{ key: 'service.name', value: { stringValue: 'shop' } }];
    const span = (id: number, length = 8) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(length).fill(id),
    });
    // Fields of a message may come in any order; what is encoded apart can be put together in any (protobuf.dev, "Last one wins").
    const scopeParts = [{ scope: { name: 'io.shop' } }, { spans: [span(1, 7), span(2)] }, { schemaUrl: 's' }];
    const scopes = orders(
      scopeParts.map((part) => inner(inner(encodeTraces({ resourceSpans: [{ scopeSpans: [part] }] })))),
    );
    const resourceParts = (scope: Uint8Array) => [
      inner(encodeTraces({ resourceSpans: [{ resource: { attributes } }] })),
      message(0x12, scope),
      inner(encodeTraces({ resourceSpans: [{ schemaUrl: 'r' }] })),
    ];
    const { set, columnizer } = emptySet();
    const outcomes = scopes
      .flatMap((scope) => orders(resourceParts(scope)))
      .map((resource) => {
        const first = set.count;
        const other = emptySet();
        const request = message(0x0a, resource);
        expect(other.columnizer.add(request)).toMatchObject({ accepted: 1, rejected: 1 });
        columnizer.add(request);
        expect(set.count).toBe(first + 1);
        return storedSpans(other.set);
      });
    expect(outcomes).toHaveLength(36);
    expect(outcomes[0]?.join()).toContain('io.shop');
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
    // What is between the fields of a resource does not matter, their own order does.
    expect(set.resources.count).toBe(2);
  });

  it('has no column for a huge key, and counts the memory of keys', () => {
    const { set, columnizer } = emptySet();
    const span = (id: number, key: string) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(id),
      attributes: [{ key, value: { intValue: '1' } }],
    });
    const before = set.size;
    const spans = [span(1, 'k'.repeat(1000)), span(2, 'k'.repeat(100_000))];
    const bytes = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    columnizer.add(bytes);
    expect(set.view().attributes.map(({ key }) => key)).toEqual(['k'.repeat(1000)]);
    expect(set.size - before).toBeGreaterThan(3000 + 100_000);
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(bytes)));
  });

  it('takes a length of more than 32 bits for what it is', () => {
    const { set, columnizer } = emptySet();
    const ids = [0x0a, 16, ...Array<number>(16).fill(1), 0x12, 8, ...Array<number>(8).fill(2)];
    // A key of 2^32 + 1 bytes, of which one is there.
    const attribute = [0x0a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x6b, 0x12, 2, 0x18, 1];
    const span = [...ids, 0x4a, attribute.length, ...attribute];
    const request = Uint8Array.of(0x0a, span.length + 4, 0x12, span.length + 2, 0x12, span.length, ...span);
    expect(() => columnizer.add(request)).toThrow('an attribute is malformed');
    expect(storedSpans(set)).toEqual([]);
  });

  it('refuses spans over a limit', () => {
    const set = new ColumnSet({ seed: 1, maxColumns: 10 });
    const columnizer = new Columnizer(set, { maxAttributeBytes: 100, maxTraceBytes: 400 });
    const span = (id: number, attribute: string) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(id),
      attributes: [{ key: 'k', value: { stringValue: attribute } }],
    });
    const spans = [span(1, 'x'.repeat(200)), ...[2, 3, 4, 5, 6].map((id) => span(id, 'y'.repeat(80)))];
    const result = columnizer.add(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(result.reason).toBe('an attribute is larger than limits.max_attribute_bytes (100)');
    expect(result).toMatchObject({ accepted: 3, rejected: 3 });
  });

  it('keeps one of two spans with the same identity, the same one whatever their order', () => {
    const span = (end: string, name: string) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(2),
      startTimeUnixNano: '1000',
      endTimeUnixNano: end,
      name,
    });
    const versions = [
      span('1500', 'first'),
      span('2500', 'late'),
      span('2500', 'later and longer'),
      span('2500', 'late'),
    ];
    const outcomes = [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 3, 1],
    ].map((order) => {
      const { set, columnizer } = emptySet();
      for (const i of order) {
        columnizer.add(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [versions[i]] }] }] }));
      }
      expect(set.count - set.deadCount).toBe(1);
      return storedSpans(set);
    });
    expect(outcomes[0]?.[0]).toContain('later and longer');
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[2]).toEqual(outcomes[0]);
  });

  it('keeps a span whose later resend came in a request that is malformed further on', () => {
    const span = (end: string) => ({
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(2),
      startTimeUnixNano: '1000',
      endTimeUnixNano: end,
    });
    const request = (end: string) => encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span(end)] }] }] });
    const { set, columnizer } = emptySet();
    columnizer.add(request('1500'));
    const stored = storedSpans(set);
    expect(() => columnizer.add(Buffer.concat([request('2500'), Buffer.of(0x0a, 0x7f)]))).toThrow(
      'not an OTLP trace export',
    );
    expect(storedSpans(set)).toEqual(stored);
    columnizer.add(request('3500'));
    expect(storedSpans(set)).toHaveLength(1);
    expect(storedSpans(set)).not.toEqual(stored);
  });

  it('settles a request that is sent again as a whole, and one that has a span several times', () => {
    const spans = Array.from({ length: 50 }, (_, i) => ({
      traceId: new Uint8Array(16).fill(1 + (i % 3)),
      spanId: new Uint8Array(8).fill(1 + (i % 20)),
      startTimeUnixNano: '1000',
      endTimeUnixNano: '2000',
      name: `version ${(i * 7) % 50}`,
      attributes: [{ key: 'i', value: { intValue: String(i) } }],
    }));
    const once = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const { set, columnizer } = emptySet();
    columnizer.add(once);
    const stored = storedSpans(set);
    expect(stored).toHaveLength(50);
    columnizer.add(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [...spans, ...spans.toReversed()] }] }] }));
    expect(storedSpans(set)).toEqual(stored);
  });

  it('settles very many resends below one huge resource in no time', { timeout: 4000 }, () => {
    const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: '1000' };
    const attributes = [{ key: 'k', value: { stringValue: 'v'.repeat(4_000_000) } }];
    const spans = Array.from({ length: 20_000 }, () => span);
    const { set, columnizer } = emptySet();
    const bytes = encodeTraces({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
    expect(columnizer.add(bytes)).toMatchObject({ accepted: 20_000 });
    expect(set.count - set.deadCount).toBe(1);
  });

  it('refuses varints of more than 64 bits, which no answer could show', () => {
    const ids = [0x0a, 16, ...Array<number>(16).fill(1), 0x12, 8, ...Array<number>(8).fill(2)];
    const varint = (last: number) => [...Array<number>(9).fill(0xff), last];
    const fields: ((last: number) => number[])[] = [
      (last) => [0x50, ...varint(last)],
      (last) => [0x88, 0x02, ...varint(last)],
      (last) => [0x4a, 13, 0x12, 11, 0x18, ...varint(last)],
      (last) => [0x4a, 17, 0x12, 15, 0x2a, 13, 0x0a, 11, 0x18, ...varint(last)],
    ];
    for (const field of fields) {
      const add = (last: number) => {
        const span = [...ids, ...field(last)];
        const request = [0x0a, span.length + 4, 0x12, span.length + 2, 0x12, span.length, ...span];
        return emptySet().columnizer.add(Uint8Array.from(request));
      };
      expect(add(1).accepted).toBe(1);
      for (const last of [2, 0x7f, 0x80]) expect(() => add(last)).toThrow(expect.objectContaining({ kind: 'data' }));
    }
  });

  it.each([
    ['a tag of more than 32 bits of a span', Uint8Array.of(0xb0, 0x80, 0x80, 0x80, 0x80, 1, 1)],
    ['one of a status', message(0x7a, Uint8Array.of(0x98, 0x80, 0x80, 0x80, 0x80, 1, 1))],
    ['one of an event', message(0x5a, Uint8Array.of(0x92, 0x80, 0x80, 0x80, 0x80, 1, 0))],
    ['one of a link', message(0x6a, Uint8Array.of(0x9a, 0x80, 0x80, 0x80, 0x80, 1, 0))],
    ['a tag of six bytes', Uint8Array.of(0xb0, 0x80, 0x80, 0x80, 0x80, 0, 1)],
    ['one of an attribute', message(0x4a, Uint8Array.of(0x8a, 0x80, 0x80, 0x80, 0x80, 0, 1, 0x61))],
    ['a length of six bytes', Uint8Array.of(0x2a, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0x61)],
    ['one of a value', message(0x4a, Uint8Array.of(0x0a, 1, 0x61, 0x12, 0x82, 0x80, 0x80, 0x80, 0x80, 0, 0x10, 1))],
  ])('refuses %s, as other decoders do', (_, field) => {
    const { columnizer } = emptySet();
    expect(() => decodeRawTraces(requestOf(field))).toThrow();
    expect(() => columnizer.add(requestOf(field))).toThrow(expect.objectContaining({ kind: 'data' }));
  });

  it.each([
    ['entity of a resource that ends too late', 'resource', [0x0a, 4, 0x1a, 2, 0x0a, 9]],
    ['type of an entity that is no text', 'resource', [0x0a, 4, 0x1a, 2, 0x10, 1]],
    ['dropped count of a resource that is no number', 'resource', [0x0a, 3, 0x12, 1, 0x61]],
    ['scopes that are no messages', 'resource', [0x10, 1]],
    ['name of a scope that is no text', 'scope', [0x0a, 2, 0x08, 1]],
    ['version of a scope that is no text', 'scope', [0x0a, 2, 0x10, 1]],
    ['dropped count of a scope that is no number', 'scope', [0x0a, 3, 0x22, 1, 0x61]],
    ['spans that are no messages', 'scope', [0x10, 1]],
  ])('refuses %s', (_, owner, bytes) => {
    const field = Buffer.from(bytes);
    const request = owner === 'scope' ? requestOf(Buffer.of(), field) : requestOf(Buffer.of(), Buffer.of(), field);
    expect(() => emptySet().columnizer.add(request)).toThrow(expect.objectContaining({ kind: 'data' }));
  });

  it('keeps the order of equal keys, also where one is written in more bytes than it needs', () => {
    const { set, columnizer } = emptySet();
    const attributes = [
      [0x4a, 6, 0x8a, 0x80, 0x00, 2, 0x6b, 0x6b],
      [0x4a, 8, 0x0a, 2, 0x6b, 0x6b, 0x12, 2, 0x10, 1],
    ];
    const ids = [0x0a, 16, ...Array<number>(16).fill(1), 0x12, 8, ...Array<number>(8).fill(2)];
    const span = [...ids, ...attributes.flat()];
    const request = Uint8Array.of(0x0a, span.length + 4, 0x12, span.length + 2, 0x12, span.length, ...span);
    columnizer.add(request);
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(request)));
  });

  it('takes attribute keys like __proto__ for what they are', () => {
    const { set, columnizer } = emptySet();
    const attributes = ['__proto__', 'constructor', 'hasOwnProperty'].map((key) => ({ key, value: { intValue: '7' } }));
    const span = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2), attributes };
    const bytes = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    columnizer.add(bytes);
    expect(storedSpans(set)).toEqual(spanTexts(decodeTraces(bytes)));
  });
});
