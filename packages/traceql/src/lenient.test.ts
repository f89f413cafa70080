import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLenient } from './lenient.ts';
import { parse } from './parse.ts';
import { printStage } from './print.ts';

function filterOf(query: string): string | undefined {
  const filter = parseLenient(query);
  return filter === undefined ? undefined : printStage(filter);
}

describe('a query that is being written', () => {
  test.each([
    // Whole ones.
    ['{ .a = 1 }', '{ .a = 1 }'],
    ['{ .a = 1 || .b = 2 }', '{ .a = 1 || .b = 2 }'],
    ['{ .a }', '{ .a }'],
    ['{ .a = 1 } | rate()', '{ .a = 1 }'],
    ['{ .a = 1 } | { .b = 2 }', '{ .a = 1 }'],
    // Without a value, an operator, an operand.
    ['{ .a = 1 && .b = }', '{ .a = 1 }'],
    ['{ .b = && .a = 1 }', '{ .a = 1 }'],
    ['{ .a = 1 && .b }', '{ .a = 1 && .b }'],
    ['{ .a = 1 && .b && .c = }', '{ .a = 1 }'],
    ['{ .a = 1 && }', '{ .a = 1 }'],
    ['{ .a = 1 && ', '{ .a = 1 }'],
    ['{ .a = 1', '{ .a = 1 }'],
    ['{ && .a = 1 && && .b = 2', '{ .a = 1 && .b = 2 }'],
    ['{ .a = 1 && . }', '{ .a = 1 }'],
    ['{ span. && .a = 1 }', '{ .a = 1 }'],
    ['{ .a = 1 && foo = 2 }', '{ .a = 1 }'],
    ['{ .a = 1 && .b = "x', '{ .a = 1 }'],
    ['{ .a = 1 && span."b', '{ .a = 1 }'],
    ['{ .a = 1 .b = 2 && .c = 3 }', '{ .c = 3 }'],
    ['{ .a = 1 && name =~ "(" }', '{ .a = 1 }'],
    ['{ .a = 1 && status = 5 }', '{ .a = 1 }'],
    ['{ .a = 1 || .b = }', '{ .a = 1 }'],
    ['{ .a = 1 && !(.b = 2) && .c = }', '{ .a = 1 && !(.b = 2) }'],
    // Parentheses.
    ['{ .a = 1 && (.b = 2 || .c = ) }', '{ .a = 1 && .b = 2 }'],
    ['{ (.a = 1 || .b = 2) && .c = }', '{ .a = 1 || .b = 2 }'],
    ['{ .a = 1 && (.b = 2 || .c = 3', '{ .a = 1 && (.b = 2 || .c = 3) }'],
    ['{ .a = 1) && .b = 2 }', '{ .b = 2 }'],
    ['{ .a = 1 && () }', '{ .a = 1 }'],
    ['({ .a = 1 && .b = })', '{ .a = 1 }'],
    // Behind the filter.
    ['{ .a = 1 } | rate(', '{ .a = 1 }'],
    ['{ .a = 1 } |', '{ .a = 1 }'],
    ['{ .a = 1 && .b = } | { .c = 1 }', '{ .a = 1 }'],
    ['{ .a = 1 | .b = 2', '{ .a = 1 }'],
  ])('%s narrows to %s', (query, filter) => {
    expect(filterOf(query)).toBe(filter);
  });

  test.each([
    '',
    ' ',
    '{}',
    '{',
    '{ true }',
    '{ .a = }',
    '{ .a = "x',
    '{ . }',
    '{ name }',
    'foo',
    '.a = 1',
    'by(.a)',
    '{ .a = 1 } && { .b = 2 }',
    '{ .a = 1 } >> { .b = }',
    '{ .a = 1 } {',
    '('.repeat(100_000),
    `{ ${'('.repeat(100_000)}`,
    `{ ${'.a = 1 && ('.repeat(10_000)}`,
    'x'.repeat(200_000),
  ])('%.20s… says nothing', (query) => {
    expect(filterOf(query)).toBeUndefined();
  });

  test('is never an error, and what it narrows to is a query', () => {
    const words = [
      '{',
      '}',
      '(',
      ')',
      '.a',
      '=',
      '"x"',
      '1',
      '|',
      '&&',
      '||',
      '>',
      '!',
      'span.',
      '"',
      'name',
      '=~',
      '-',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 30 }), (pieces) => {
        const filter = filterOf(`{${pieces.join(' ')}`);
        if (filter !== undefined) expect(printStage(parse(filter).pipeline.stages[0] as never)).toBe(filter);
      }),
      { numRuns: 5000 },
    );
  });

  test('of hundreds of conditions the first are kept', () => {
    const filter = filterOf(`{ ${'.a = 1 && '.repeat(1000)}`) ?? '';
    expect(filter.split('&&').length).toBeGreaterThan(100);
    expect(filter.split('&&').length).toBeLessThan(250);
  });
});
