import { isKind } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from './parse.ts';
import { printQuery } from './print.ts';
import { durationBounds, parseTags, tagQuery } from './tag-search.ts';
import { withoutPlaces } from './testing/arbitrary-query.ts';

const unbounded = { minNanos: undefined, maxNanos: undefined };
const queryOf = (tags: string) => printQuery(tagQuery(parseTags(tags), unbounded));

describe('tags', () => {
  test.each<[string, [string, string | undefined][]]>([
    ['', []],
    ['  ', []],
    ['a=b', [['a', 'b']]],
    [
      'a=b c=d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      ' a=b \t c=d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['a="b c"', [['a', 'b c']]],
    [String.raw`a="b\"c\\\n\u00e9"`, [['a', 'b"c\\\né']]],
    ['a=""', [['a', '']]],
    ['a=', [['a', '']]],
    ['a', [['a', undefined]]],
    [
      'a b=c',
      [
        ['a', undefined],
        ['b', 'c'],
      ],
    ],
    ['service.name=a-b/c', [['service.name', 'a-b/c']]],
    ['__proto__=1', [['__proto__', '1']]],
  ])('%j are read', (text, tags) => {
    expect([...parseTags(text)]).toEqual(tags);
  });

  test.each([
    ['=b', "unexpected '=' at pos 1"],
    ['a="b', 'unterminated quoted value at pos 5'],
    ['a="b\\', 'unterminated quoted value at pos 6'],
    ['a=b=c', "unexpected '=' at pos 4"],
    ['a=b"c', "unexpected '\"' at pos 4"],
    ['a"b', "unexpected '\"' at pos 2"],
    ['"a"=b', "unexpected '\"' at pos 1"],
    ['a="b"c', "unexpected 'c' at pos 6"],
    ['a="\\q"', 'invalid quoted value at pos 3'],
    ['a=b a=c', 'the key is given twice: a'],
    ['a a', 'the key is given twice: a'],
  ])('%j are wrong', (text, message) => {
    expect(() => parseTags(text)).toThrow(`invalid tags: ${message}`);
  });

  test('are bounded', () => {
    const many = Array.from({ length: 101 }, (_, i) => `k${i}=v`).join(' ');
    expect(() => parseTags(many)).toThrow('invalid tags: more than 100');
    expect(() => parseTags(`a=${'x'.repeat(70_000)}`)).toThrow('invalid tags: longer than 65536 characters');
  });

  test('of any text are read or give an invalid error, and the query for them is one of TraceQL', () => {
    const text = fc.array(
      fc.oneof(
        fc.constantFrom('a', 'b', '=', '"', ' ', '\\', '1', '.', 'error=true'),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(text, (pieces) => {
        let tags: Map<string, string | undefined>;
        try {
          tags = parseTags(pieces.join(''));
        } catch (error) {
          expect(isKind(error, 'invalid')).toBe(true);
          return;
        }
        const query = tagQuery(tags, unbounded);
        expect(withoutPlaces(parse(printQuery(query)))).toEqual(withoutPlaces(query));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the query for tags', () => {
  test.each([
    ['', '{ }'],
    ['foo=bar', '{ .foo = "bar" }'],
    ['foo', '{ .foo != nil }'],
    ['foo=', '{ .foo = "" }'],
    ['foo=1', '{ .foo = "1" || .foo = 1 }'],
    ['foo=-7', '{ .foo = "-7" || .foo = -7 }'],
    ['foo=1.5', '{ .foo = "1.5" || .foo = 1.5 }'],
    ['foo=1e3', '{ .foo = "1e3" || .foo = 1000.0 }'],
    ['foo=99999999999999999999', '{ .foo = "99999999999999999999" || .foo = 100000000000000000000.0 }'],
    ['foo=9223372036854775807', '{ .foo = "9223372036854775807" || .foo = 9223372036854775807 }'],
    ['foo=true', '{ .foo = "true" || .foo = true }'],
    ['foo=0x10', '{ .foo = "0x10" }'],
    ['a=b c=1', '{ .a = "b" && (.c = "1" || .c = 1) }'],
    ['name=1', '{ span:name = "1" }'],
    ['root.name=x', '{ trace:rootName = "x" }'],
    ['root.service.name=x', '{ trace:rootService = "x" }'],
    ['service.name=x', '{ .service.name = "x" }'],
    ['status.code=error', '{ span:status = error }'],
    ['status.code=2', '{ span:status = error }'],
    ['status.code=OK', '{ span:status = ok }'],
    ['status.code=weird', '{ .status.code = "weird" }'],
    ['error=true', '{ span:status = error }'],
    ['error=false', '{ .error = "false" || .error = false }'],
    ['a(b)=c', '{ ."a(b)" = "c" }'],
  ])('%j is %s', (tags, query) => {
    expect(queryOf(tags)).toBe(query);
    expect(printQuery(parse(query))).toBe(query);
  });

  test('bounds the duration of the trace', () => {
    const bounds = durationBounds('100ms', '1.5s');
    expect(printQuery(tagQuery(parseTags('a=b'), bounds))).toBe(
      '{ .a = "b" && trace:duration >= 100ms && trace:duration <= 1.5s }',
    );
    expect(printQuery(tagQuery(new Map(), durationBounds(undefined, '1h')))).toBe('{ trace:duration <= 1h0m0s }');
  });

  test.each([
    ['abc', undefined, 'invalid minDuration: time: invalid duration "abc"'],
    [undefined, '10', 'invalid maxDuration: time: invalid duration "10"'],
    ['2s', '1s', 'invalid maxDuration: must be greater than minDuration'],
  ])('minDuration %j and maxDuration %j are wrong', (min, max, message) => {
    expect(() => durationBounds(min, max)).toThrow(message);
  });

  test('empty and absent durations are no bounds', () => {
    expect(durationBounds('', undefined)).toEqual(unbounded);
    expect(durationBounds('1s', '1s')).toEqual({ minNanos: 1_000_000_000n, maxNanos: 1_000_000_000n });
  });
});
