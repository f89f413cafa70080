import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { literalMatcher } from './literal-pattern.ts';
import { compilePattern, generalMatcher } from './pattern.ts';

describe('a pattern', () => {
  test.each([
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a', 'ba', false],
    ['', '', true],
    ['', 'a', false],
    ['a.c', 'abc', true],
    ['a.c', 'a\nc', true],
    ['.*', 'one\ntwo\n', true],
    ['a|bc', 'bc', true],
    ['a|bc', 'ac', false],
    ['^a$', 'a', true],
    ['a$', 'a\n', false],
    ['A', 'a', false],
    ['(?i)GET .*', 'get /', true],
    ['(?-s)a.c', 'a\nc', false],
    ['.', '😀', true],
    ['[^a]', 'é', true],
    [String.raw`\d{3}`, '200', true],
    [String.raw`\d{3}`, '٣٣٣', false],
    [String.raw`\Qa.b\E`, 'a.b', true],
    [String.raw`\Qa.b\E`, 'axb', false],
    [String.raw`\p{Greek}+`, 'αβγ', true],
    ['[[:upper:]]x', 'Ax', true],
    ['(?P<n>a)+', 'aaa', true],
    ['a{2,3}', 'aaaa', false],
  ])('%j with %j: %j', (pattern, text, expected) => {
    expect(compilePattern(pattern).test(text)).toBe(expected);
  });

  test.each(['(', '[', 'a**', '(?=a)', '(?<=a)b', String.raw`\1`, 'a{1001}', 'x{2}{1000}', String.raw`\z\8`, '*'])(
    '%s is none of RE2',
    (pattern) => {
      expect(() => compilePattern(pattern)).toThrow(/^error parsing regexp: /);
    },
  );

  test('is bounded in its length and its steps', () => {
    expect(() => compilePattern(`${'ab'.repeat(10_000)}?`)).toThrow(
      'the pattern has 20001 characters, 16384 are allowed',
    );
    expect(() => compilePattern('((a{10}){10}b{9}){9}(c?){1000}x{1000}.{1000}(yz){1000}')).toThrow(
      /steps, 5000 are allowed/,
    );
    expect(() => compilePattern(`${'('.repeat(8000)}a${')'.repeat(8000)}`)).toThrow('nests too deeply');
  });

  test.each([
    '(a+)+$',
    '(a|a)*b',
    '(a|aa)+b',
    '(.*a){20}b',
    '(a*)*(a*)*(a*)*b',
    '(x+x+)+y',
    '.*.*.*.*.*.*.*.*b',
    '(a|b)*a(a|b){200}x',
    '((a{0,20}){0,20})b',
  ])('%s takes time that grows with the text only', (pattern) => {
    const matcher = compilePattern(pattern);
    const begin = performance.now();
    expect(matcher.test(`${'a'.repeat(100_000)}!`)).toBe(false);
    expect(matcher.test(`${'ab'.repeat(50_000)}!`)).toBe(false);
    // On a quiet machine the worst takes 0.6 s, most 10 ms; an engine that tries all ways never ends.
    expect(performance.now() - begin).toBeLessThan(20_000);
  });

  test('keeps little memory, whatever it is and is matched with', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const texts = Array.from({ length: 200 }, (_, i) => {
      return Array.from({ length: 1000 }, (_unused, k) => pseudoRandom(i * 1000 + k)).join('');
    });
    const matchers = Array.from({ length: 4 }, (_, i) => generalMatcher(`(a|b)*a(a|b){${60 + i}}x`));
    gc();
    const before = process.memoryUsage().heapUsed;
    for (const matcher of matchers) expect(texts.some((text) => matcher.test(text))).toBe(false);
    gc();
    // 9 MB each without a bound.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10e6);
    expect(matchers.every((matcher) => matcher.test('ab'))).toBe(false);
  });

  test('is kept, and forgotten when there are many or they are long', () => {
    const first = compilePattern('(kept)+');
    expect(compilePattern('(kept)+')).toBe(first);
    for (let i = 0; i < 300; i++) compilePattern(`(other${i})+`);
    expect(compilePattern('(kept)+')).not.toBe(first);
    const second = compilePattern('(kept)+');
    for (let i = 0; i < 20; i++) compilePattern(`${i}${'x'.repeat(1000)}`.repeat(16));
    expect(compilePattern('(kept)+')).not.toBe(second);
  });
});

describe('the short way for patterns of literals', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', 'aba', 'é', '😀', '/', '-', ' ', '\n');
  const literal = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''));
  const pattern = fc.oneof(
    literal,
    fc.array(literal, { minLength: 2, maxLength: 5 }).map((literals) => literals.join('|')),
    fc.tuple(literal, literal).map((literals) => literals.join('.*')),
    literal.map((text) => `.*${text}.*`),
    fc.array(literal, { minLength: 3, maxLength: 5 }).map((literals) => literals.join('.*')),
    fc.array(fc.oneof(piece, fc.constantFrom('.*', '|')), { maxLength: 5 }).map((pieces) => pieces.join('')),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

  test('gives the answers of the general one', () => {
    let short = 0;
    fc.assert(
      fc.property(pattern, fc.array(text, { maxLength: 8 }), (source, texts) => {
        const matcher = literalMatcher(source);
        if (matcher === undefined) return;
        short++;
        const general = generalMatcher(source);
        const near = [source, source.replaceAll('.*', ''), source.replaceAll('.*', 'b'), ...source.split(/\||\.\*/)];
        for (const each of [...texts, ...near, ...near.map((one) => `a${one}b`)]) {
          expect(matcher.test(each), JSON.stringify([source, each])).toBe(general.test(each));
          if (matcher.test(each)) for (const piece of matcher.required ?? []) expect(each).toContain(piece);
        }
      }),
      { numRuns: 3000 },
    );
    expect(short).toBeGreaterThan(1000);
  });

  test.each(['text', 'text.*', '.*text', '.*text.*', 'one.*two', '.*a.*b.*', 'a.*b.*c', 'one|two|three', '.*', ''])(
    'is for %j',
    (source) => {
      expect(literalMatcher(source)).toBeDefined();
    },
  );

  test.each(['a.b', 'a+', '(a|b)', 'a|b.*', 'a?', '^a', String.raw`a\.b`, '[a]', 'a{', '.**'])(
    'is not for %j',
    (source) => {
      expect(literalMatcher(source)).toBeUndefined();
    },
  );

  test('takes lists of names that are longer than other patterns may be', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `service-${i}`);
    const matcher = compilePattern(names.join('|'));
    expect(matcher.test('service-4999')).toBe(true);
    expect(matcher.test('service-5000')).toBe(false);
  });
});

function pseudoRandom(number: number): string {
  return (Math.imul(number ^ (number >>> 7), 0x9e3779b1) >>> 15) % 2 === 0 ? 'a' : 'b';
}
