import { bytesToHex } from '@vivace/kernel';
import type { AnswerAttribute, AnswerValue, Label, Series, TraceMatch } from '../answer.ts';
import { BASE_UNIX_NANO, type Dataset, spanLabelKey } from './dataset.ts';

/** How much of an answer a case says: only what it says is compared. */
export interface Detail {
  traceFacts: boolean;
  spansetAttributes: boolean;
  spanAttributes: boolean;
}

/**
 * `t1(a b) t2(c)`, newest first; with attributes `t1(a{i=7 name="x"})[count()=1]`; cut spansets end in `… 5`. Facts of
 * traces: `t1<"GET /" of "shop" at=0ns for=110ns shop=4/1 db=1/0>(a b)`, services with their spans and errors.
 */
export function renderMatches(matches: readonly TraceMatch[], dataset: Dataset, detail: Detail): string {
  if (matches.length === 0) return 'none';
  return matches
    .map((match) => {
      const { traceId, spansets } = match;
      const trace = bytesToHex(traceId);
      const facts = detail.traceFacts ? `<${renderFacts(match)}>` : '';
      return spansets
        .map(({ spans, matched, attributes }) => {
          const shown = spans.map((span) => {
            const id = bytesToHex(span.spanId);
            const label = dataset.spanLabels.get(spanLabelKey(trace, id, span.startUnixNano)) ?? id;
            if (!detail.spanAttributes) return label;
            const name = span.name === undefined ? [] : [`name=${JSON.stringify(span.name)}`];
            return `${label}{${[...name, ...span.attributes.map(renderAttribute)].join(' ')}}`;
          });
          if (matched > spans.length) shown.push(`… ${matched}`);
          const own = detail.spansetAttributes ? `[${attributes.map(renderAttribute).join(' ')}]` : '';
          return `${dataset.traceLabels.get(trace) ?? trace}${facts}(${shown.join(' ')})${own}`;
        })
        .join(' ');
    })
    .join(' ');
}

function renderFacts({ root, startUnixNano, durationNanos, services }: TraceMatch): string {
  const counts = [...services]
    .map(([service, { spanCount, errorCount }]) => `${service}=${spanCount}/${errorCount}`)
    .sort();
  const name = root === undefined ? 'no root' : `${JSON.stringify(root.name)} of ${JSON.stringify(root.service)}`;
  return [name, `at=${startUnixNano - BASE_UNIX_NANO}ns`, `for=${durationNanos}ns`, ...counts].join(' ');
}

/** `rate 1 - 2`, or `{name="a"} 0 1 2; {name="b"} 2 1 0`: labels, then a value or `-` for each of the intervals that end at `times`. */
export function renderSeries(series: readonly Series[], times: readonly number[]): string {
  if (series.length === 0) return 'none';
  return series
    .map(({ labels, samples }) => {
      const values = new Map(samples.map(({ timestampMs, value }) => [timestampMs, value]));
      const unknown = samples.filter(({ timestampMs }) => !times.includes(timestampMs)).map(() => '(outside)');
      return [renderLabels(labels), ...times.map((time) => renderNumber(values.get(time))), ...unknown].join(' ');
    })
    .sort()
    .join('; ');
}

function renderLabels(labels: readonly Label[]): string {
  const [first] = labels;
  if (labels.length === 1 && first?.key === '__name__' && first.value.type === 'string') return first.value.value;
  return `{${labels.map(renderAttribute).join(' ')}}`;
}

/** Twelve digits: sums of floats depend on their order. */
function renderNumber(value: number | undefined): string {
  return value === undefined ? '-' : String(Number(value.toPrecision(12)));
}

function renderAttribute({ key, value }: AnswerAttribute): string {
  return `${key}=${renderValue(value)}`;
}

function renderValue(value: AnswerValue): string {
  switch (value.type) {
    case 'nil':
      return 'nil';
    case 'string':
      return JSON.stringify(value.value);
    case 'duration':
      return `${value.value}ns`;
    case 'float':
      if (Object.is(value.value, -0)) return '-0.0';
      return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value);
    case 'array':
      return `[${value.values.map(renderValue).join(', ')}]`;
    case 'other':
      return `other(${value.text})`;
    case 'int':
    case 'bool':
    case 'status':
    case 'kind':
      return String(value.value);
  }
}

/** Times of a case, from BASE, in the form of `renderSeries`. */
export function intervalEnds(start: bigint, end: bigint, step: bigint): number[] {
  const times: number[] = [];
  for (let time = start + step; time <= end; time += step) times.push(Number((BASE_UNIX_NANO + time) / 1_000_000n));
  return times;
}
