import type { Question } from '@vivace/block-query';
import { parse, parseField, parseLenient, printStatic } from '@vivace/traceql';
import { type PracticeSubjects, quotedName } from './subjects.ts';

export interface PracticeWindow {
  startUnixNano: bigint;
  endUnixNano: bigint;
}

const PAGE = { limit: 20, spansPerSpanset: 3, after: undefined };
/** Longer from round to round: a thousand traces, written by code that has never run, hold up the main thread. */
const LONG_PAGE = 200;
const INTERVALS = 20n;
const EXEMPLARS = 100;
const SECOND = 1_000_000_000n;

/** The common kinds of questions, about other subjects in every round. */
export function practiceQuestions(subjects: PracticeSubjects, window: PracticeWindow, round: number): Question[] {
  const service = (turn: number) => text(turnOf(subjects.services, round + turn) ?? 'none');
  // Answers of few series first, as with traces.
  const label = (turn: number) => subjects.labels[Math.min(round, subjects.labels.length - 1) - turn] ?? 'kind';
  const named = (turn: number) => {
    const found = turnOf(subjects.texts, turn) ?? { key: 'none', value: 'none' };
    return { field: quotedName(found.key), value: found.value };
  };
  const number = turnOf(subjects.numbers, round) ?? { key: 'none', value: 0n };
  const numeric = `span.${quotedName(number.key)}`;
  const [many, some, few] = [named(0), named(1 + round), named(subjects.texts.length - 1)];
  const name = turnOf(subjects.names, round) ?? 'none';
  const searches = [
    `{ span.${many.field} = ${text(many.value)} }`,
    `{ .${many.field} = ${text(many.value)} }`,
    `{ span.${many.field} = "no such value" }`,
    '{ status = error }',
    `{ resource.service.name = ${service(0)} && status = error }`,
    `{ resource.service.name = ${service(1)} && ${numeric} >= ${number.value} }`,
    '{ duration > 20ms }',
    `{ span.${few.field} = ${text(few.value)} && duration > 1ms }`,
    `{ name =~ ${text(`${pattern(name.slice(0, 8))}.*`)} }`,
    `{ span.${many.field} =~ ${text(`.*${pattern(many.value.slice(-3))}.*`)} }`,
    `{ resource.service.name = ${service(0)} } >> { status = error }`,
    `{ span.${some.field} =~ ${text(`${pattern(some.value.slice(0, 5))}.*`)} } > { kind = client }`,
    `{ resource.service.name = ${service(1)} } | count() > 1`,
    `{ span.${few.field} = ${text(few.value)} } | avg(duration) > 1ms`,
    '{ } | by(resource.service.name) | count() > 1',
    `{ status = error } && { resource.service.name = ${service(2)} } | select(span.${some.field}, name)`,
  ];
  const metrics = [
    `{ } | rate() by (${round % 2 === 0 ? 'resource.service.name' : label(1)})`,
    '{ status = error } | rate() by (resource.service.name, name)',
    `{ kind = server } | quantile_over_time(duration, .5, .95, .99) by (${label(0)})`,
    '{ } | histogram_over_time(duration)',
  ];
  // Answers over HTTP are written where they are found, and those that are streamed are not.
  const search = (query: string, page: typeof PAGE, number: number): Question => ({
    kind: 'search',
    request: {
      query: parse(query),
      ...window,
      ...page,
      written: isOdd(round + number) ? undefined : { spansets: true },
    },
  });
  const tagged = ['resource.service.name', `span.${some.field}`].map((field) => parseField(field));
  return [
    ...searches.map((query, i) => search(query, PAGE, i)),
    search(`{ ${numeric} = ${number.value} }`, { ...PAGE, limit: LONG_PAGE * (round + 1) }, 0),
    ...metrics.map((query): Question => {
      const request = { query: parse(query), ...intervalsOf(window), exemplars: EXEMPLARS, maxSeries: 0 };
      return { kind: 'metrics', request };
    }),
    { kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } },
    ...tagged.flatMap((field): Question[] =>
      [undefined, parseLenient(`{ resource.service.name = ${service(0)} }`)].map((filter) => ({
        kind: 'tagValues',
        request: { field, filter, limit: 0 },
      })),
    ),
  ];
}

/** A whole number of steps of whole seconds. */
function intervalsOf({ startUnixNano, endUnixNano }: PracticeWindow) {
  const stepNanos = ((endUnixNano - startUnixNano) / INTERVALS / SECOND + 1n) * SECOND;
  const start = startUnixNano - (startUnixNano % stepNanos);
  return { startUnixNano: start, endUnixNano: start + (INTERVALS + 1n) * stepNanos, stepNanos };
}

function isOdd(number: number): boolean {
  return number % 2 === 1;
}

function turnOf<T>(list: readonly T[], turn: number): T | undefined {
  return list[Math.max(0, turn) % Math.max(1, list.length)];
}

function text(value: string): string {
  return printStatic({ type: 'string', value });
}

/** Letters as they are, and any character for others. */
function pattern(value: string): string {
  return value.replace(/[^A-Za-z0-9]/g, '.');
}
