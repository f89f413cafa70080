import { isKind } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tracesFromJson, tracesToJson, tracesToJsonPieces } from './index.ts';
import { decodeTraces, encodeTraces, normalTraces, tracesArbitrary } from './testing.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const json = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

describe('transcoding between protobuf and JSON', () => {
  it('keeps every field of any trace from protobuf to JSON and back', () => {
    fc.assert(
      fc.property(tracesArbitrary, (traces) => {
        const proto = encodeTraces(traces);
        const back = tracesFromJson(tracesToJson(proto, { style: 'otlp' }));
        expect(normalTraces(decodeTraces(back))).toEqual(normalTraces(decodeTraces(proto)));
      }),
      { numRuns: 300 },
    );
  });

  it('writes one span with very many events in pieces too', () => {
    const events = Array.from({ length: 50_000 }, () => ({ name: 'e' }));
    const bytes = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 's', events }] }] }] });
    const pieces = [...tracesToJsonPieces(bytes, { style: 'tempo', pieceBytes: 10_000 })];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(11_000);
    expect(Buffer.concat(pieces).toString()).toContain('"events":[{"name":"e"},{"name":"e"},');
  });

  it('writes the same JSON whatever the size of the pieces and the kind of memory', () => {
    fc.assert(
      fc.property(tracesArbitrary, fc.integer({ min: 1, max: 300 }), (traces, pieceBytes) => {
        const proto = encodeTraces(traces);
        const shared = new Uint8Array(new SharedArrayBuffer(proto.length));
        shared.set(proto);
        for (const style of ['otlp', 'tempo'] as const) {
          const whole = text(tracesToJson(proto, { style }));
          expect(text(Buffer.concat([...tracesToJsonPieces(shared, { style, pieceBytes })]))).toBe(whole);
          JSON.parse(whole);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives an error or a well-formed answer for any flipped bit and any cut of the protobuf', () => {
    fc.assert(
      fc.property(tracesArbitrary, fc.nat(), fc.nat(7), fc.boolean(), (traces, at, bit, cut) => {
        const proto = encodeTraces(traces);
        if (proto.length === 0) return;
        const place = at % proto.length;
        if (!cut) proto[place] = (proto[place] as number) ^ (1 << bit);
        try {
          JSON.parse(text(tracesToJson(cut ? proto.subarray(0, place) : proto, { style: 'tempo' })));
        } catch (error) {
          if (!isKind(error, 'data')) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('gives an error or well-formed protobuf for any flipped bit and any cut of the JSON', () => {
    fc.assert(
      fc.property(tracesArbitrary, fc.nat(), fc.nat(7), fc.boolean(), (traces, at, bit, cut) => {
        const bytes = tracesToJson(encodeTraces(traces), { style: 'otlp' });
        const place = at % bytes.length;
        if (!cut) bytes[place] = (bytes[place] as number) ^ (1 << bit);
        try {
          // Read by our own walk: protobufjs refuses strings that are not UTF-8, which we keep as they are.
          JSON.parse(text(tracesToJson(tracesFromJson(cut ? bytes.subarray(0, place) : bytes), { style: 'otlp' })));
          expect(cut).toBe(false);
        } catch (error) {
          if (!isKind(error, 'invalid')) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on which texts are JSON', () => {
    const breakable = '{"x":[1,-0.5e+3,"a\\u00e9\\n",true,false,null,{}],"resourceSpans":[{"unknown":{"a":[]}}]}';
    fc.assert(
      fc.property(
        fc.nat(breakable.length - 1),
        fc.constantFrom(...'{}[],:"\\0-.eE+ tfnu\u0001'.split('')),
        (at, char) => {
          const mutated = breakable.slice(0, at) + char + breakable.slice(at + 1);
          let theirs = true;
          try {
            const value = JSON.parse(mutated) as unknown;
            // A text that is JSON but no longer an OTLP message is ours to refuse.
            theirs = typeof value === 'object' && value !== null && !('resourceSpans' in value);
            if (!theirs) return;
          } catch {
            theirs = false;
          }
          let ours = true;
          try {
            tracesFromJson(json(mutated));
          } catch {
            ours = false;
          }
          expect({ mutated, ours }).toEqual({ mutated, ours: theirs });
        },
      ),
      { numRuns: 2000 },
    );
  });
});

const spanOf = (span: unknown) => ({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
const decodedSpan = (bytes: Uint8Array) =>
  (decodeTraces(bytes) as { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] }).resourceSpans[0]
    ?.scopeSpans[0]?.spans[0];

describe('tracesFromJson', () => {
  it('reads ids in hex of either case, enums by number and name, and 64-bit integers in every form', () => {
    const times = ['18446744073709551615', 1760000000002160436n, '1.76e18', '1760000000002160436.0', 0];
    const expected = ['18446744073709551615', '1760000000002160436', '1760000000000000000', '1760000000002160436'];
    for (const [i, time] of times.entries()) {
      const value = typeof time === 'string' && i === 0 ? `"${time}"` : String(time);
      const span = decodedSpan(
        tracesFromJson(
          json(
            `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0123456789abcdefABCDEF0000000001","kind":${i % 2 ? '"SPAN_KIND_SERVER"' : 2},"startTimeUnixNano":${value}}]}]}]}`,
          ),
        ),
      );
      expect(span).toMatchObject({ kind: 2 });
      expect(Buffer.from(span?.['traceId'] as number[]).toString('hex')).toBe('0123456789abcdefabcdef0000000001');
      expect(span?.['startTimeUnixNano']).toBe(expected[i]);
    }
  });

  it('refuses malformed escapes also in what it skips', () => {
    for (const text of ['{"":{"\\q":1}}', '{"":{"a":"\\q"}}', '{"":[{"\\\u0000":1}]}', '{"\\u12":1}']) {
      expect(() => tracesFromJson(json(text))).toThrow(expect.objectContaining({ kind: 'invalid' }));
    }
    expect(tracesFromJson(json('{"":{"\\n\\u00e9":1}}'))).toHaveLength(0);
  });

  it('reads enums that nobody knows, of 32 bits with a sign, and no others', () => {
    const kind = (value: string) =>
      decodedSpan(tracesFromJson(json(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":${value}}]}]}]}`)))?.['kind'];
    for (const value of [7, 2147483647, -1, -2147483648]) expect(kind(String(value))).toBe(value);
    for (const value of ['2147483648', '-2147483649', '4294967296', '-4294967296', '1.5', '"SPAN_KIND_QUEEN"']) {
      expect(() => kind(value)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    }
  });

  it('reads snake_case names, names with escapes, keys named __proto__, and skips what it does not know', () => {
    const span = decodedSpan(
      tracesFromJson(
        json(
          '{"later":{"a":[{"b":"\\u0041"}]},"resource_spans":[{"scope_spans":[{"spans":[{"n\\u0061me":"x","attributes":[{"key":"__proto__","value":{"stringValue":"y"}}],"__proto__":1,"constructor":{}}]}]}]}',
        ),
      ),
    );
    expect(span).toEqual({ name: 'x', attributes: [{ key: '__proto__', value: { stringValue: 'y' } }] });
  });

  it('treats null as absent and keeps values that are empty', () => {
    const value = { attributes: [{ key: 'a', value: { stringValue: '' } }, { key: 'b', value: {} }, { key: 'c' }] };
    const sent = spanOf({ ...value, name: null, events: null, status: null });
    expect(decodedSpan(tracesFromJson(json(sent)))).toEqual(value);
  });

  it('reads doubles as numbers and as the strings of what JSON cannot say', () => {
    const doubles = ['1', '-0.0', '1e300', '"NaN"', '"Infinity"', '"-Infinity"', '"2.5"'];
    const expected = [1, -0, 1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2.5];
    const attributes = doubles.map((d) => `{"key":"d","value":{"doubleValue":${d}}}`).join();
    const span = decodedSpan(
      tracesFromJson(json(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[${attributes}]}]}]}]}`)),
    ) as { attributes: { value: { doubleValue: number } }[] };
    expect(span.attributes.map((a) => a.value.doubleValue)).toEqual(expected);
  });

  // The third is the text that stands where the error is said to be.
  it.each([
    ['', 'expected an object (TracesData)', ''],
    ['[]', 'expected an object (TracesData)', '['],
    ['{}x', 'text after the end', 'x'],
    ['{"resourceSpans":{}}', 'expected an array', '{}}'],
    ['{"resourceSpans":"\u0001"}', 'expected an array', '"\u0001'],
    [{ resourceSpans: [{ resource: { attributes: [{ key: 17 }] } }] }, 'expected a string', '17'],
    [spanOf({ traceId: 'xyz' }), 'an id is not an even number of hex digits', 'xyz'],
    [spanOf({ traceId: 'abc' }), 'an id is not an even number of hex digits', 'c"'],
    [spanOf({ startTimeUnixNano: '18446744073709551616' }), 'a value is not an integer of its range', '18446'],
    [spanOf({ startTimeUnixNano: -1 }), 'a value is not an integer of its range', '-1'],
    [spanOf({ startTimeUnixNano: 1.5 }), 'a value is not an integer of its range', '1.5'],
    [spanOf({ kind: 'SERVER' }), 'an enum value is not known by this name', 'SERVER'],
    [spanOf({ flags: 4294967296 }), 'a value is not an integer of its range', '4294967296'],
    [spanOf({ attributes: [{ value: { bytesValue: '*' } }] }), 'a value is not base64', '*'],
    [spanOf({ attributes: [{ value: { doubleValue: '0x10' } }] }), 'a value is not a double', '0x10'],
    ['{"a":"\\x"}', 'a malformed escape in a string', '\\x'],
    ['{"a":"x', 'the text ends within a string', ''],
  ])('refuses %j with the position', (document, what, place) => {
    const sent = json(document);
    const at = place === '' ? sent.length : sent.indexOf(place);
    expect(() => tracesFromJson(sent)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: `malformed OTLP JSON: ${what}, at byte ${at}` }) as Error,
    );
  });

  it('refuses what is nested too deeply instead of following it', () => {
    const known = (depth: number) =>
      `{"resourceSpans":[{"resource":{"attributes":[{"value":${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}}]}}]}`;
    expect(tracesFromJson(json(known(47))).length).toBeGreaterThan(100);
    expect(() => tracesFromJson(json(known(49)))).toThrow('nested too deeply');
    expect(() => tracesFromJson(json(known(2_000_000)))).toThrow('nested too deeply');
    expect(() => tracesFromJson(json(`{"x":${'['.repeat(5_000_000)}`))).toThrow('nested too deeply');
  });
});

describe('tracesToJson', () => {
  it('writes what Tempo answers: base64 ids, names of enums, resource, scope and status always there', () => {
    const traces = encodeTraces({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                {
                  traceId: Buffer.from('00000000000000000000000000abcdef', 'hex'),
                  kind: 2,
                  startTimeUnixNano: '1795000000000000001',
                },
                { name: 'b', status: { code: 2, message: 'boom' }, kind: 77 },
              ],
            },
          ],
        },
      ],
    });
    expect(JSON.parse(text(tracesToJson(traces, { style: 'tempo', before: '{"batches":' })))).toEqual({
      batches: [
        {
          resource: {},
          scopeSpans: [
            {
              scope: {},
              spans: [
                {
                  traceId: 'AAAAAAAAAAAAAAAAAKvN7w==',
                  kind: 'SPAN_KIND_SERVER',
                  startTimeUnixNano: '1795000000000000001',
                  status: {},
                },
                { name: 'b', kind: 77, status: { code: 'STATUS_CODE_ERROR', message: 'boom' } },
              ],
            },
          ],
        },
      ],
    });
  });

  it('writes every value of an attribute as protobuf’s JSON has it', () => {
    const values = [
      [{ stringValue: 'a"\\\n\u0001é😀\u007f' }, '{"stringValue":"a\\"\\\\\\n\\u0001é😀\u007f"}'],
      [{ intValue: '-9223372036854775808' }, '{"intValue":"-9223372036854775808"}'],
      [{ intValue: '9007199254740993' }, '{"intValue":"9007199254740993"}'],
      [{ intValue: '-1' }, '{"intValue":"-1"}'],
      [{ intValue: '0' }, '{"intValue":"0"}'],
      [{ doubleValue: Number.NaN }, '{"doubleValue":"NaN"}'],
      [{ doubleValue: Number.NEGATIVE_INFINITY }, '{"doubleValue":"-Infinity"}'],
      [{ doubleValue: -0 }, '{"doubleValue":-0}'],
      [{ doubleValue: 1e21 }, '{"doubleValue":1e+21}'],
      [{ boolValue: false }, '{"boolValue":false}'],
      [{ bytesValue: Buffer.from('\u0000ab') }, '{"bytesValue":"AGFi"}'],
      [{ arrayValue: {} }, '{"arrayValue":{}}'],
      [{ arrayValue: { values: [{}, { boolValue: true }] } }, '{"arrayValue":{"values":[{},{"boolValue":true}]}}'],
      [{ kvlistValue: { values: [{ key: '', value: {} }] } }, '{"kvlistValue":{"values":[{"value":{}}]}}'],
      [{}, '{}'],
    ] as const;
    for (const [value, expected] of values) {
      const traces = encodeTraces({ resourceSpans: [{ resource: { attributes: [{ key: 'k', value }] } }] });
      expect(text(tracesToJson(traces, { style: 'otlp' }))).toBe(
        `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":${expected}}]}}]}`,
      );
    }
  });

  it('replaces what is not UTF-8', () => {
    const traces = Buffer.from([0x0a, 0x04, 0x1a, 0x02, 0x61, 0xff]);
    expect(text(tracesToJson(traces, { style: 'otlp' }))).toBe('{"resourceSpans":[{"schemaUrl":"a\ufffd"}]}');
  });

  it('takes fields in any order, the last of a single one, and merges messages, as protobuf does', () => {
    fc.assert(
      fc.property(fc.array(tracesArbitrary, { minLength: 2, maxLength: 4 }), (parts) => {
        // Messages one after another are one message with every field of both.
        const spans = parts.map((part) => firstSpanBytes(encodeTraces(part)));
        const length = spans.reduce((sum, span) => sum + span.length, 0);
        if (length > 16_000) return;
        const traces = nest(nest(nest(Buffer.concat(spans), 2), 2), 1);
        const read = tracesFromJson(tracesToJson(traces, { style: 'otlp' }));
        expect(normalTraces(decodeTraces(read))).toEqual(normalTraces(decodeTraces(traces)));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses messages that are nested too deeply instead of following them', () => {
    let value: Uint8Array = new Uint8Array(0);
    for (let i = 0; i < 5_000; i++) value = nest(nest(value, 1), 5);
    const traces = nest(nest(nest(nest(value, 2), 1), 1), 1);
    expect(() => tracesToJson(traces, { style: 'tempo' })).toThrow('nested too deeply');
  });
});

function nest(content: Uint8Array, field: number): Uint8Array {
  const length = content.length;
  const prefix = [field * 8 + 2];
  let rest = length;
  for (; rest > 127; rest >>>= 7) prefix.push((rest & 127) | 128);
  prefix.push(rest);
  return Buffer.concat([Buffer.from(prefix), content]);
}

/** The content of the first span there is, or nothing. */
function firstSpanBytes(traces: Uint8Array): Uint8Array {
  const decoded = decodeTraces(traces) as { resourceSpans?: { scopeSpans?: { spans?: unknown[] }[] }[] };
  const span = decoded.resourceSpans?.flatMap((r) => r.scopeSpans ?? []).flatMap((s) => s.spans ?? [])[0];
  const whole = encodeTraces(spanOf(span ?? {}));
  const inner = encodeTraces(spanOf({}));
  return span === undefined ? inner.subarray(inner.length) : unnest(unnest(unnest(whole)));
}

function unnest(message: Uint8Array): Uint8Array {
  let at = 1;
  while ((message[at] as number) > 127) at++;
  return message.subarray(at + 1);
}
