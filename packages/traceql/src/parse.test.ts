import { isKind } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldExpression, Query } from './ast.ts';
import { hintOf, parse, parseField } from './parse.ts';
import { parseFieldExpression } from './parse-field.ts';
import { printFieldExpression, printQuery } from './print.ts';
import { arbitraryExpression, arbitraryQuery, withoutPlaces } from './testing/arbitrary-query.ts';
import { TokenStream } from './token-stream.ts';

const expression = (source: string) => parseFieldExpression(new TokenStream(source));

function message(source: string): string {
  try {
    parse(source);
  } catch (error) {
    if (isKind(error, 'invalid')) return error.message;
    throw error;
  }
  return 'it parsed';
}

describe('printing and reading again', () => {
  test('gives the same query but for the places', () => {
    fc.assert(
      fc.property(arbitraryQuery, (query) => {
        expect(withoutPlaces(parse(printQuery(query)))).toEqual(query);
      }),
      { numRuns: 1000 },
    );
  });

  test('gives the same expression, whatever it means', () => {
    fc.assert(
      fc.property(arbitraryExpression, (node) => {
        expect(withoutPlaces(expression(printFieldExpression(node)))).toEqual(node);
      }),
      { numRuns: 2000 },
    );
  });

  test('every expression is found again at its place', () => {
    fc.assert(
      fc.property(arbitraryExpression, (node) => {
        const source = printFieldExpression(node);
        for (const part of parts(expression(source))) {
          expect(withoutPlaces(expression(source.slice(part.from, part.to)))).toEqual(withoutPlaces(part));
        }
      }),
    );
  });
});

function parts(node: FieldExpression): FieldExpression[] {
  if (node.kind === 'unary') return [node, ...parts(node.operand)];
  return node.kind === 'binary' ? [node, ...parts(node.left), ...parts(node.right)] : [node];
}

describe('hostile queries', () => {
  const words = [
    '{',
    '}',
    '(',
    ')',
    '.a',
    '=',
    '!',
    '!=',
    '=~',
    '"x"',
    '1',
    '-',
    '1s',
    '|',
    '&&',
    '||',
    '>',
    '>>',
    '&>',
  ];
  const more = [
    'by(',
    'count()',
    'select(',
    'rate()',
    'with(',
    'name',
    'nil',
    '`',
    '"',
    '/*',
    '//',
    ' ',
    '\n',
    'span.',
  ];

  test('of any text and of any tokens are read or give an invalid error', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(fc.constantFrom(...words, ...more), { maxLength: 30 }).map((parts) => parts.join('')),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString()),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    fc.assert(
      fc.property(text, (source) => {
        let query: Query;
        try {
          query = parse(source);
        } catch (error) {
          expect(isKind(error, 'invalid')).toBe(true);
          return;
        }
        expect(withoutPlaces(parse(printQuery(query)))).toEqual(withoutPlaces(query));
      }),
      { numRuns: 5000 },
    );
  });

  test('an empty one has an error at its first place', () => {
    expect(message('')).toBe(
      'invalid TraceQL query: parse error at line 1, col 1: syntax error: unexpected $end\n  \n  ^',
    );
  });

  test('more than 128 KiB are refused before they are looked at', () => {
    expect(message(`{ .a = "${'é'.repeat(70_000)}" }`)).toBe('TraceQL expression exceeds the configured maximum size');
    expect(message(`{ .a = "${'e'.repeat(130_000)}" }`)).toBe('it parsed');
  });

  const deep = 'invalid TraceQL query: expressions are nested deeper than 200 levels';
  const long = 'invalid TraceQL query: more than 1000 operators stand one upon another';
  const cases: [string, string, string][] = [
    ['10,000 parentheses', '('.repeat(10_000), deep],
    ['10,000 parentheses in a filter', `{${'('.repeat(10_000)}true${')'.repeat(10_000)}}`, deep],
    ['60,000 minus signs', `{ .a = ${'-'.repeat(60_000)}1 }`, deep],
    ['60,000 negations', `{ ${'!'.repeat(60_000)}true }`, deep],
    ['30,000 powers', `{ 1 = 1${'^1'.repeat(30_000)} }`, deep],
    ['10,000 pipelines one in another', '({}|'.repeat(10_000), deep],
    ['10,000 terms', `{ ${'.a || '.repeat(10_000)}.a }`, long],
    ['10,000 sums', `{ 1 = 1${' + 1'.repeat(10_000)} }`, long],
    ['10,000 sets of spans', `{}${' && {}'.repeat(10_000)}`, long],
    ['10,000 structures', `{}${' >> {}'.repeat(10_000)}`, long],
    ['10,000 aggregates', `count()${'+count()'.repeat(10_000)} > 1`, long],
    ['40,000 stages', `{}${'|{}'.repeat(40_000)}`, 'invalid TraceQL query: the query has more than 20000 terms'],
    [
      '60,000 fields',
      `{}|select(.a${',.a'.repeat(30_000)})`,
      'invalid TraceQL query: the query has more than 20000 terms',
    ],
    [
      'numbers with points',
      `{ .a = ${'1.'.repeat(60_000)} }`,
      'invalid TraceQL query: parse error at line 1, col 11: syntax error',
    ],
    ['comments that open', '{ /* '.repeat(25_000), 'invalid TraceQL query: parse error at line 1, col 3: comment not'],
    ['quotes', '{ ."'.repeat(30_000), 'invalid TraceQL query: parse error at line 1, col 9: '],
    ['backslashes', `{ .a = "${'\\'.repeat(120_000)}`, 'invalid TraceQL query: parse error at line 1, col 8: literal'],
    ['escapes', `{ .a = "${'\\n'.repeat(60_000)}" = }`, 'invalid TraceQL query: parse error at line 1, col 120013: '],
    ['lines', `${'\n'.repeat(120_000)}}`, 'invalid TraceQL query: parse error at line 120001, col 1: '],
    [
      'a long number',
      `{ .a = ${'9'.repeat(120_000)} }`,
      'invalid TraceQL query: parse error at line 1, col 8: number too long',
    ],
    [
      'many patterns',
      `{ ${Array.from({ length: 900 }, (_, i) => `.a =~ "(a|b)*a{${i}}"`).join(' || ')} }`,
      'invalid TraceQL query: more than 200 regular expressions in one query',
    ],
    [
      'a nested pattern',
      `{ .a =~ "${'('.repeat(60_000)}" }`,
      'invalid TraceQL query: invalid regex: the pattern has 60000',
    ],
  ];

  test.each(cases)('%s give an error soon', (_, source, expected) => {
    expect(source.length).toBeLessThan(128 * 1024);
    const begin = performance.now();
    const said = message(source);
    expect(performance.now() - begin).toBeLessThan(1000);
    expect(said.startsWith(expected), said.slice(0, 200)).toBe(true);
    expect(said.length).toBeLessThan(1000);
  });

  test('900 terms are read, and walked by recursion', () => {
    const query = parse(`{ ${'.a = 1 || '.repeat(900)}.b }`);
    expect(printQuery(query).length).toBeGreaterThan(9000);
  });
});

describe('the drawing of an error', () => {
  test('shows the line and a mark below the place', () => {
    expect(message('{ .a = 1 }\n  && {\t.b = }')).toBe(
      'invalid TraceQL query: parse error at line 2, col 13: syntax error: unexpected }\n    && { .b = }\n              ^',
    );
  });

  test('shows 60 characters around the place of a long line', () => {
    const drawn = message(`{ .a = "${'x'.repeat(100)}" && name = 1 && .c = "${'y'.repeat(100)}" }`).split('\n');
    expect(drawn[1]).toMatch(/^ {2}…x+" && name = 1 && .c = "y+…$/);
    expect(drawn[1]?.slice((drawn[2] ?? '').indexOf('^'))).toMatch(/^name = 1/);
  });

  test('lets no control character through', () => {
    const drawn = message('{ .a = "\u001b[2J\u0007" x }');
    expect(Array.from(drawn).filter((character) => character < ' ')).toEqual(['\n', '\n']);
  });
});

describe('the name of a tag', () => {
  test.each([
    ['resource.service.name', 'resource', 'service.name', 'resource.service.name'],
    ['.foo', 'any', 'foo', '.foo'],
    ['span."a b"', 'span', 'a b', 'span."a b"'],
    ['span.a b', 'span', 'a b', 'span."a b"'],
    ['event.f(x) = 1', 'event', 'f(x) = 1', 'event."f(x) = 1"'],
    ['.5', 'any', '5', '."5"'],
    ['link./a/b', 'link', '/a/b', 'link./a/b'],
  ])('%s is an attribute', (source, scope, name, text) => {
    expect(parseField(source)).toMatchObject({ kind: 'attribute', scope, name, text });
  });

  test.each([
    ['name', 'span:name'],
    ['span:id', 'span:id'],
    ['trace:rootName', 'trace:rootName'],
    ['rootServiceName', 'trace:rootService'],
  ])('%s is an intrinsic', (source, name) => {
    expect(parseField(source)).toMatchObject({ kind: 'intrinsic', name, text: source });
  });

  test.each(['', 'foo', 'service.name', 'parent.x', '.', 'span.', 'span."a', 'name name', '{}', 'event:foo'])(
    '%j is none',
    (source) => {
      expect(() => parseField(source)).toThrow(/^invalid TraceQL query: /);
    },
  );
});

test('of a hint that is given twice the last holds', () => {
  const query = parse('{} with(sample=true, exemplars=1) with(exemplars=2)');
  expect(hintOf(query, 'exemplars')).toEqual({ type: 'int', value: 2n });
  expect(hintOf(query, 'sample')).toEqual({ type: 'bool', value: true });
  expect(hintOf(query, '__proto__')).toBeUndefined();
});
