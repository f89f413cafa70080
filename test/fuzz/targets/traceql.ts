import { isDeepStrictEqual } from 'node:util';
import { isKind, type Random } from '@vivace/kernel';
import {
  compilePattern,
  durationBounds,
  parse,
  parseField,
  parseLenient,
  parseTags,
  printQuery,
  printStage,
  tagQuery,
} from '@vivace/traceql';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';

/** Queries of every construct; the others are put together from their pieces. */
const SEEDS = [
  '{ .a = 1 && span."b c" != "d\\n\\u00e9" || resource.service.name =~ `x.*|y` }',
  '{ duration > 1.5ms && status = error && kind != server && name !~ "(?i)get .*" } | select(.a, event:name, span:id)',
  '({ .a } &>> { nestedSetParent < 0 }) || ({ !(.b = nil) }) | by(resource.x) | count() > 1 | coalesce() | avg(duration) <= 1d',
  '({ .a } | count() > 2) && ({ .b } !~ { .c } | max(-.d ^ 2 * 3) != -1.5e3)',
  '{ true } | quantile_over_time(duration, 0.9, .99, 1) by(name, .b) > 1.5 | topk(3) with(sample=true, exemplars=5)',
  '{} | compare({ status = error }, 10, 1795226252000000000, 1795226352000000000)',
  '{ trace:id = "00ab" && event:timeSinceStart >= 2us && link:spanID = "1" } // comment\n | rate() /* over */ with(x=nil)',
  'by(.a) | sum(.a % 2 / 3) >= maxInt',
];
const PATTERNS = ['(a+)+$', '.*foo.*', 'a|b|', '[^a-z]{3,5}\\d*?', '(?i)x(?P<n>y)', '\\pN+', '((a{2}){3}|b*)*c', '^a$'];
const WORDS =
  '{ } ( ) {} , . | || && = != =~ !~ > >= < <= >> << ~ !> !>> &> &< &~ + - * / % ^ ! nil true error .a span.b parent.c name span: trace:duration event. 1 -1 1.5 .5 1h30m 5µs minInt "x" "(" ` " // /* count() avg( by( select( coalesce() rate() topk(2) with( compare( quantile_over_time('.split(
    ' ',
  );

const QUERY = 0;
const TAGS = 1;
const PATTERN = 2;
const MODES = 3;

/**
 * A query is read or gives an `invalid` error of bounded length; what is read prints to a query that reads as the same.
 * So do tags; a pattern is compiled or refused, and then answers in time that grows with the text.
 */
export function traceqlTarget(): FuzzTarget {
  return {
    keepBytes: 1,
    make(random) {
      const mode = below(random, MODES + 2) % MODES;
      const text = mode === PATTERN ? anyPattern(random) : anyQuery(random);
      const bytes = Buffer.from(text);
      const other = Buffer.from(pick(random, mode === PATTERN ? PATTERNS : SEEDS));
      return Buffer.concat([Uint8Array.of(mode), oneIn(random, 3) ? mutateBytes(random, bytes, other) : bytes]);
    },
    check(input) {
      const text = Buffer.from(input.subarray(1)).toString();
      if (input[0] === TAGS) checkTags(text);
      else if (input[0] === PATTERN) checkPattern(text);
      else if (input[0] === QUERY) checkQuery(text);
    },
  };
}

function anyQuery(random: Random): string {
  if (oneIn(random, 3)) return pick(random, SEEDS);
  if (oneIn(random, 20)) return pick(random, WORDS).repeat(below(random, 20_000));
  const spaced = oneIn(random, 2) ? ' ' : '';
  const words = Array.from({ length: below(random, 40) }, () => pick(random, WORDS)).join(spaced);
  return oneIn(random, 2) ? `{ ${words} }` : words;
}

function anyPattern(random: Random): string {
  const pieces = Array.from({ length: 1 + below(random, 4) }, () => pick(random, PATTERNS));
  return oneIn(random, 4) ? `(${pieces.join('')}){${below(random, 40)}}` : pieces.join('');
}

function checkQuery(text: string): void {
  const query = tolerant(() => parse(text));
  if (query !== undefined) {
    const printed = printQuery(query);
    expectThat(sameTree(parse(printed), query), `it prints as another query: ${printed}`);
  }
  const filter = parseLenient(text);
  if (filter !== undefined) parse(printStage(filter));
  const field = tolerant(() => parseField(text));
  if (field !== undefined)
    expectThat(sameTree(parseField(field.text), field), `the field reads otherwise: ${field.text}`);
}

function checkTags(text: string): void {
  const tags = tolerant(() => parseTags(text));
  if (tags === undefined) return;
  const query = tagQuery(tags, durationBounds('1ms', '1h'));
  expectThat(sameTree(parse(printQuery(query)), query), 'tags become another query');
}

function checkPattern(text: string): void {
  let test: (candidate: string) => boolean;
  try {
    const matcher = compilePattern(text);
    test = (candidate) => matcher.test(candidate);
  } catch (error) {
    const { message } = error as Error;
    expectThat(/^error parsing regexp: |^the pattern (has|takes) /.test(message), message);
    return;
  }
  for (const candidate of [text, '', 'a'.repeat(2000), 'aab'.repeat(500), 'foo\n😀', 'xy']) test(candidate);
}

/** What a parser gives, or undefined where it gives the error that it promises. */
function tolerant<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    expectThat(error.message.length < 2000, 'the message is too long');
    return undefined;
  }
}

function sameTree(first: unknown, second: unknown): boolean {
  return isDeepStrictEqual(withoutPlaces(first), withoutPlaces(second));
}

function withoutPlaces(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutPlaces);
  if (typeof node !== 'object' || node === null) return node;
  return Object.entries(node)
    .filter(([key]) => key !== 'from' && key !== 'to')
    .map(([key, value]) => [key, withoutPlaces(value)]);
}
