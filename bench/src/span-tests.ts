import { KIND } from './operations.ts';
import type { SpanFacts } from './span-facts.ts';

/** Whether the span in a row is meant. */
export type SpanTest = (row: number) => boolean;

/** Tests of spans by what was sent, written without the code under test. */
export interface SpanTests {
  all: SpanTest;
  failed: SpanTest;
  server: SpanTest;
  service: (name: string) => SpanTest;
  /** The test of an attribute that is always the same for an operation. */
  attribute: (key: string, matches: (value: string) => boolean) => SpanTest;
  name: (matches: (name: string) => boolean) => SpanTest;
  httpStatus: (matches: (status: number) => boolean) => SpanTest;
  /** On the whole of `url.full`. */
  url: (matches: (url: string) => boolean) => SpanTest;
  longerThan: (milliseconds: number) => SpanTest;
  both: (first: SpanTest, second: SpanTest) => SpanTest;
}

export function spanTests(facts: SpanFacts): SpanTests {
  const byOperation = (test: (operation: SpanFacts['operations'][number]) => boolean): SpanTest => {
    const known = facts.operations.map(test);
    return (row) => known[facts.operation[row] as number] === true;
  };
  const prefixes = facts.operations.map(({ prefix }) => Buffer.from(prefix).toString('utf8'));
  return {
    all: () => true,
    failed: (row) => facts.failed[row] === 1,
    server: byOperation(({ kind }) => kind === KIND.server),
    service: (name) => {
      const number = facts.services.indexOf(name);
      return (row) => facts.service[row] === number;
    },
    attribute: (key, matches) =>
      byOperation(({ attributes }) => {
        const value = attributes.get(key);
        return typeof value === 'string' && matches(value);
      }),
    name: (matches) => byOperation(({ label }) => matches(label)),
    httpStatus: (matches) => (row) => facts.httpStatus[row] !== 0 && matches(facts.httpStatus[row] as number),
    url: (matches) => (row) => {
      const number = facts.url[row] as number;
      return number > 0 && matches(`${prefixes[facts.operation[row] as number]}${number - 1}`);
    },
    longerThan: (milliseconds) => (row) => (facts.duration[row] as number) > milliseconds * 1e6,
    both: (first, second) => (row) => first(row) && second(row),
  };
}
