import fc from 'fast-check';
import type { PlainTraces } from './oracle.ts';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const i64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String);
const u32 = fc.nat(0xffffffff);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '"', '\\', '\u0000\n\u007f', '__proto__', 'é', '\u{1f600}', '</script>'),
);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant({}),
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: i64 }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 7 }) }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    fc.record({
      kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie('value') }), { maxLength: 3 }) }),
    }),
  ),
}));
const attributes = fc.array(fc.record({ key: text, value: anyValue }, { requiredKeys: ['key'] }), { maxLength: 4 });
const optional = { requiredKeys: [] };
const event = fc.record({ timeUnixNano: u64, name: text, attributes, droppedAttributesCount: u32 }, optional);
const link = fc.record(
  { traceId: bytes(16), spanId: bytes(8), traceState: text, attributes, droppedAttributesCount: u32, flags: u32 },
  optional,
);
const span = fc.record(
  {
    traceId: bytes(16),
    spanId: bytes(8),
    traceState: text,
    parentSpanId: bytes(8),
    name: text,
    kind: fc.nat(6),
    startTimeUnixNano: u64,
    endTimeUnixNano: u64,
    attributes,
    droppedAttributesCount: u32,
    events: fc.array(event, { maxLength: 3 }),
    droppedEventsCount: u32,
    links: fc.array(link, { maxLength: 3 }),
    droppedLinksCount: u32,
    status: fc.record({ message: text, code: fc.nat(3) }, optional),
    flags: u32,
  },
  optional,
);
const scope = fc.record({ name: text, version: text, attributes, droppedAttributesCount: u32 }, optional);
const entityRefs = fc.array(
  fc.record({ schemaUrl: text, type: text, idKeys: fc.array(text, { maxLength: 2 }) }, optional),
  { maxLength: 2 },
);
const resource = fc.record({ attributes, droppedAttributesCount: u32, entityRefs }, optional);
const scopeSpans = fc.record({ scope, spans: fc.array(span, { maxLength: 3 }), schemaUrl: text }, optional);

/** Any TracesData, for `encodeTraces`: every field, absent or not, with the values that are easy to get wrong. */
export const tracesArbitrary: fc.Arbitrary<PlainTraces> = fc.record({
  resourceSpans: fc.array(
    fc.record({ resource, scopeSpans: fc.array(scopeSpans, { maxLength: 3 }), schemaUrl: text }, optional),
    { maxLength: 3 },
  ),
});
