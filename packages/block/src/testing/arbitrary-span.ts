import { utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import type { TestAttribute, TestEvent, TestSpan } from './test-span.ts';

/** An encoded resource named "cart". */
const SERVICE = utf8Encode('\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04cart');

const hexOf = (digits: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits })
    .map((list) => list.map((digit) => digit.toString(16)).join(''));
const spanId = fc.oneof(fc.constantFrom('00000000000000a1', '00000000000000b2', '00000000000000c3'), hexOf(16));
const traceId = fc.constantFrom(
  '00000000000000000000000000000001',
  '00000000000000000000000000000002',
  '66a1b2c300000000aaaaaaaaaaaaaaaa',
  '66a1b2c300000000bbbbbbbbbbbbbbbb',
  'ffffffffffffffffffffffffffffffff',
);
const time = fc.oneof(
  fc.bigInt({ min: 1_760_000_000_000_000_000n, max: 1_760_000_000_100_000_000n }),
  fc.constantFrom(0n, 1n, 7_258_118_400_000_000_000n, 2n ** 64n - 1n),
);
const key = fc.constantFrom('a', 'A', 'b', 'B', 'a#int', '__proto__', 'ключ', '', 'http.method', 'http.Method');
const value: fc.Arbitrary<TestAttribute[1]> = fc.oneof(
  fc.constantFrom('', 'x', 'GET', 'ä€𝄞'),
  fc.string({ maxLength: 100 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double(),
  fc.constantFrom<TestAttribute[1]>(Number.NaN, -0, 0, Number.POSITIVE_INFINITY, {
    type: 'double',
    bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 0xf8, 0x7f),
  }),
  fc.boolean(),
);
/** At most one value a key and type, as a column set has them. */
const attributes = fc.array(fc.tuple(key, value), { maxLength: 6 }).map((list) => {
  const seen = new Set<string>();
  return list.filter(([name, of]) => {
    const id = `${typeof of === 'object' ? 'number' : typeof of} ${name}`;
    return !seen.has(id) && seen.add(id) !== undefined;
  });
});
const fragment = fc.constantFrom(
  // dropped_attributes_count, an array attribute, an unknown field
  Uint8Array.of(0x50, 7),
  utf8Encode('\x4a\x0a\x0a\x01k\x12\x05\x2a\x03\x0a\x01x'),
  Uint8Array.of(0xa2, 0x06, 0x01, 0x41, 0x50, 1),
);
const event: fc.Arbitrary<TestEvent> = fc.oneof(
  fc.record(
    {
      time,
      name: fc.constantFrom('', 'exception'),
      attributes,
      overflow: fc.constantFrom(Uint8Array.of(0x20, 3), utf8Encode('\x1a\x05\x0a\x03bad')),
    },
    { requiredKeys: [] },
  ),
  fc.record(
    {
      link: fc.oneof(fc.constantFrom('', '0'.repeat(48)), hexOf(48)),
      traceState: fc.constant('a=b'),
      attributes,
      overflow: fc.constant(Uint8Array.of(0x28, 3)),
    },
    { requiredKeys: ['link'] },
  ),
);
/** A span of one of few traces and, often, with an id that others have; some are dead. */
export const arbitrarySpan: fc.Arbitrary<TestSpan> = fc.record(
  {
    traceId,
    spanId,
    parentId: spanId,
    start: time,
    end: time,
    name: fc.constantFrom('', 'GET /', 'Ünï'),
    kind: fc.integer({ min: 0, max: 255 }),
    status: fc.constantFrom(0, 1, 2, 255),
    flags: fc.constantFrom(0, 0x101, 0xffffffff),
    statusMessage: fc.constantFrom('failed', 'timed out'),
    traceState: fc.constantFrom('a=b'),
    resource: fc.constantFrom(new Uint8Array(0), SERVICE),
    scope: fc.constantFrom(new Uint8Array(0), utf8Encode('\x0a\x05\x0a\x03lib')),
    attributes,
    overflow: fragment,
    events: fc.array(event, { maxLength: 3 }),
    dead: fc.boolean(),
  },
  { requiredKeys: ['traceId', 'spanId', 'start', 'end'] },
);
