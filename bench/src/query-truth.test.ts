import { describe, expect, it } from 'vitest';
import { canonicalSpans } from './canonical.ts';
import { createDataset } from './dataset.ts';
import { SHOP } from './dataset-options.ts';
import { metricsQuestions } from './metrics-questions.ts';
import type { Question } from './question.ts';
import { searchQuestions } from './search-questions.ts';
import type { SpanFacts } from './span-facts.ts';
import { spanTests } from './span-tests.ts';
import { tagQuestions } from './tag-questions.ts';
import { type AskedTraces, anyChild, anySpan, askedTraces } from './trace-tests.ts';

function make(): { traces: AskedTraces; facts: SpanFacts; texts: { traceId: string; text: string }[] } {
  const options = { ...SHOP, spans: 20_000, startMs: 1_763_700_000_000, facts: true };
  const { truth, requests } = createDataset(options);
  const texts = [...requests].flatMap(({ bytes }) => [...canonicalSpans(bytes)]);
  return { traces: askedTraces(truth, truth.facts as SpanFacts), facts: truth.facts as SpanFacts, texts };
}

const { traces, facts, texts } = make();

describe('what is true of the spans', () => {
  it('is what their bytes say', () => {
    const { failed, httpStatus, name, service, url } = spanTests(facts);
    const tracesOf = (pattern: RegExp) =>
      new Set(texts.filter(({ text }) => pattern.test(text)).map(({ traceId }) => traceId));
    const cases: [RegExp, Parameters<typeof anySpan>[0]][] = [
      [/exception\.type/, failed],
      [/ord-[0-9a-f]{16}/, (row) => facts.ordered[row] === 1],
      [/POST \/v1\/checkout\/batch/, name((text) => text === 'POST /v1/checkout/batch')],
      [/catalogue[^"]*\?ref=77/, url((text) => /catalogue.*\?ref=77/.test(text))],
    ];
    for (const [pattern, test] of cases) {
      const wanted = tracesOf(pattern);
      expect(wanted.size, String(pattern)).toBeGreaterThan(0);
      expect(new Set(traces.matching(anySpan(test))), String(pattern)).toEqual(wanted);
    }
    expect(traces.matching(anySpan(httpStatus((status) => status >= 500))).length).toBeGreaterThan(0);
    expect(traces.matching(anySpan(service('edge'))).length).toBeGreaterThan(100);
  });

  it('has every span but the first of a trace below another', () => {
    let roots = 0;
    traces.eachRow((row) => {
      if (facts.parent[row] === -1) roots++;
      else expect(facts.start[facts.parent[row] as number]).toBeLessThanOrEqual(facts.start[row] as number);
    });
    expect(facts.count).toBe(texts.length);
    expect(roots).toBe(traces.matching(() => true).length);
    const all = () => true;
    expect(traces.matching(anyChild(facts, all, all)).length).toBeGreaterThan(roots / 2);
  });
});

describe('the suite', () => {
  const groups = [...searchQuestions(traces), ...tagQuestions(traces), ...metricsQuestions(traces, 1_800_000_000_000)];

  it.each(groups.map(({ name, questions }) => [name, questions] as const))(
    'finds an empty answer wrong unless nothing is there to be found: %s',
    (name, questions) => {
      expect(questions.length).toBeGreaterThan(0);
      const wrong = questions.map((question) => question.wrong({}) !== undefined);
      expect(wrong).toEqual(questions.map(() => name !== 'absent'));
    },
  );

  it('wants the newest traces first, all of them, and no other', () => {
    const [question] = (groups.find(({ name }) => name === 'status') as { questions: Question[] }).questions;
    const wanted = traces.matching(anySpan(spanTests(facts).failed));
    const answer = (ids: string[]) => ({ traces: ids.map((traceID) => ({ traceID })) });
    const first = wanted.slice(0, 20);
    expect(first).toHaveLength(20);
    expect(question?.wrong(answer(first.map((id) => id.replace(/^0+/, ''))))).toBeUndefined();
    expect(question?.wrong(answer(first.slice(1)))).toMatch(/19 traces instead of 20/);
    expect(question?.wrong(answer(first.toReversed()))).toMatch(/the first wrong is 0/);
    expect(question?.wrong(answer(wanted.slice(0, 21)))).toMatch(/21 traces/);
  });

  it('asks metrics of the past only, and counts what started in it', () => {
    const early = metricsQuestions(traces, 1_763_700_025_000)[0]?.questions[0] as Question;
    const whole = metricsQuestions(traces, 1_800_000_000_000)[0]?.questions[0] as Question;
    expect(early.path(0)).toMatch(/end=1763700020$/);
    expect(early.path(3)).toMatch(/end=1763700020$/);
    const count = (question: Question) => Number(/instead of (\d+)/.exec(question.wrong({}) ?? '')?.[1]);
    expect(count(early)).toBeGreaterThan(0);
    expect(count(early)).toBeLessThan(count(whole));
  });

  it('counts every span of a rate', () => {
    const [question] = (groups.find(({ name }) => name === 'metrics error rate') as { questions: Question[] })
      .questions;
    const counts = new Map<string, number>();
    traces.eachRow((row) => {
      const service = facts.services[facts.service[row] as number] as string;
      if (facts.failed[row] === 1) counts.set(service, (counts.get(service) ?? 0) + 1);
    });
    const series = (more: number) =>
      [...counts].map(([service, count]) => ({
        labels: [{ key: 'resource.service.name', value: { stringValue: service } }],
        samples: [{ timestampMs: '0', value: (count + more) / 10 }],
      }));
    expect(counts.size).toBeGreaterThan(5);
    expect(question?.wrong({ series: series(0) })).toBeUndefined();
    expect(question?.wrong({ series: series(1) })).toMatch(/instead of/);
  });
});
