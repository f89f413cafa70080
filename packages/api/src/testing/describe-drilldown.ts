import { describe, expect, test } from 'vitest';
import {
  counted,
  createDrilldownClient,
  type DrilldownClient,
  END,
  labelsOf,
  RANGE,
  START,
  valuesOf,
} from './drilldown-client.ts';
import { type DrilldownSpan, nanos, OLDEST_MS, roots, spanId, spans, TRACES, traceId } from './drilldown-traces.ts';
import { fetchTraceAsGrafana } from './grafana-trace.ts';
import { decodeRangeStrictly } from './strict-answers.ts';

/**
 * Every query that Grafana's Traces Drilldown sends, and of every answer the fields that it reads, against a server
 * that was sent the spans of drilldown-traces.ts. The numbers are those of Drilldown's templates.
 */
export function describeDrilldown(url: () => string): void {
  const client = createDrilldownClient(url);
  describeSignals(client);
  describeMetrics(client);
  describeSearches(client);
  describeTags(client);
}

/** The primary signals and which spans they choose. */
const PRIMARY: [string, (span: DrilldownSpan) => boolean][] = [
  ['nestedSetParent<0', ({ parent }) => parent === undefined],
  ['true', () => true],
  ['kind=server', ({ kind }) => kind === 2],
  ['kind=consumer', ({ kind }) => kind === 5],
  ['span.db.system.name!=""', ({ attributes }) => attributes['db.system.name'] !== undefined],
];
/** Filters that a person has set. */
const FILTERS: [string, (span: DrilldownSpan) => boolean][] = [
  ['true', () => true],
  ['resource.service.name="shop"', ({ service }) => service === 'shop'],
  [String.raw`name="charge \"card\""&&status=error`, ({ name, failed }) => name === 'charge "card"' && failed],
  [
    'duration>=25ms&&span.http.request.method=~"GET|PUT"',
    (span) => span.durationMs >= 25 && span.attributes['http.request.method'] === 'GET',
  ],
];
const CHOICES = PRIMARY.flatMap(([primary, isPrimary]) =>
  FILTERS.map(([filter, passes]) => ({
    choice: `${primary} && ${filter}`,
    chosen: spans.filter((span) => isPrimary(span) && passes(span)),
  })),
);
const STEP_64 = Math.floor(RANGE / 64);
const STEP_24 = Math.floor(RANGE / 24);

const P = 'nestedSetParent<0 && true';

function describeSignals({ range, search }: DrilldownClient): void {
  describe.each(CHOICES)('{$choice}', ({ choice, chosen }) => {
    test('has a rate, also of errors', async () => {
      const rate = await range(`{${choice}} | rate()  with(sample=true)`, `${STEP_64}s`);
      expect(counted(rate, STEP_64)).toBe(chosen.length);
      if (chosen.length > 0) expect(rate.series?.map(labelsOf)).toEqual([{ __name__: 'rate' }]);
      const errors = await range(`{${choice} && status=error} | rate()  with(sample=true)`, `${STEP_64}s`);
      expect(counted(errors, STEP_64)).toBe(chosen.filter(({ failed }) => failed).length);
    });

    test('has durations as a heat map', async () => {
      const { series = [] } = await range(
        `{${choice}} | histogram_over_time(duration) with(sample=true)`,
        `${STEP_24}s`,
      );
      for (const one of series) {
        expect(one.labels?.map(({ key, value }) => [key, Object.keys(value)])).toEqual([['__bucket', ['doubleValue']]]);
        const nanoseconds = Number(labelsOf(one)['__bucket']) * 1e9;
        expect(Math.log2(Math.round(nanoseconds)) % 1).toBe(0);
      }
      const total = series.flatMap((one) => one.samples ?? []).reduce((sum, { value }) => sum + Number(value ?? 0), 0);
      expect(total).toBe(chosen.length);
    });

    test('breaks down by an attribute', async () => {
      for (const [attribute, valueOf] of [
        ['resource.service.name', (span: DrilldownSpan) => span.service],
        ['name', (span: DrilldownSpan) => span.name],
        ['span.http.request.method', (span: DrilldownSpan) => span.attributes['http.request.method']],
      ] as const) {
        const expected = new Map<string, number>();
        for (const span of chosen) {
          const value = valueOf(span);
          if (value !== undefined) expected.set(value, (expected.get(value) ?? 0) + 1);
        }
        const q = `{${choice} && ${attribute} != nil} | rate() by(${attribute})`;
        const { series = [] } = await range(q, `${STEP_64}s`);
        const found = series.map((one): [unknown, number] => [
          labelsOf(one)[attribute],
          counted({ series: [one], metrics: {} }, STEP_64),
        ]);
        expect(new Map(found.filter(([, count]) => count > 0))).toEqual(expected);
        expect(series.every((one) => one.labels?.length === 1)).toBe(true);
        const quantiles = await range(
          `{${choice} && ${attribute} != nil} | quantile_over_time(duration, 0.9,0.95) by(${attribute})`,
          `${STEP_64}s`,
        );
        const keys = new Set(quantiles.series?.map((one) => Object.keys(labelsOf(one)).sort().join()));
        expect(keys).toEqual(new Set(expected.size === 0 ? [] : [[attribute, 'p'].sort().join()]));
        for (const one of quantiles.series ?? []) {
          expect([0.9, 0.95]).toContain(labelsOf(one)['p']);
          expect(expected.has(labelsOf(one)[attribute] as string)).toBe(true);
        }
      }
    });

    test('is a list of spans, newest trace first', async () => {
      const { traces } = await search(`{${choice}}`, 200, 10);
      const expected = [...new Set(chosen.map(({ trace }) => trace))].sort((a, b) => b - a);
      expect(traces.map(({ traceID }) => traceID)).toEqual(expected.map((trace) => traceId(trace).toString('hex')));
      for (const [i, trace] of traces.entries()) {
        const own = chosen.filter((span) => span.trace === expected[i]);
        expect(trace.spanSets?.[0]?.matched).toBe(own.length);
        expect(trace.spanSets?.[0]?.spans.map(({ spanID }) => spanID)).toEqual(
          own.map(({ number }) => spanId(number).toString('hex')),
        );
        expect([trace.rootServiceName, trace.durationMs]).toEqual(['shop', 20 + (expected[i] as number)]);
      }
    });
  });
}

function describeMetrics({ body, range, instant }: DrilldownClient): void {
  test('1: the probe has the spans of a range without a step', async () => {
    const { series = [] } = await range('{} | rate()');
    // 1800 s by 240 is 7.5 s, rounded down to 5 s.
    expect(counted({ series, metrics: {} }, 5)).toBe(spans.length);
  });

  test('2: a day of the time seeker, in steps of 30 s', async () => {
    const text = await body('/api/metrics/query_range', {
      q: `{${P}} | rate()  with(sample=true)`,
      start: END - 86_400,
      step: '30s',
    });
    expect(counted(decodeRangeStrictly(text), 30)).toBe(roots.length);
  });

  test('7: a tile, and an alert of one value', async () => {
    const q = `{${P} && resource.service.name="shop"} | rate() by(resource.service.name)`;
    const { series = [] } = await instant(q);
    expect(series.map(labelsOf)).toEqual([{ 'resource.service.name': 'shop' }]);
    expect(Number(series[0]?.value) * RANGE).toBeCloseTo(roots.length, 6);
  });

  describe('8: comparisons', () => {
    const failed = (span: DrilldownSpan) => span.failed;
    test.each([
      ['{status = error}', failed],
      ['{duration >= 23ms}', (span: DrilldownSpan) => span.durationMs >= 23],
      ['{duration >= 23ms && duration <= 2s}', (span: DrilldownSpan) => span.durationMs >= 23],
      ['{}', () => true],
    ])('with %s', async (selection, isSelected) => {
      const { series = [] } = await range(`{${P}} | compare(${selection}, 10)`, `${RANGE}s`);
      const sums = new Map<string, number>();
      for (const one of series) {
        const { __meta_type: type, ...rest } = labelsOf(one);
        expect(['baseline', 'selection', 'baseline_total', 'selection_total']).toContain(type);
        expect(Object.keys(rest)).toHaveLength(1);
        const [[attribute, value] = []] = Object.entries(rest);
        const sum = (one.samples ?? []).reduce((total, sample) => total + Number(sample.value ?? 0), 0);
        sums.set(`${String(type)} ${attribute} ${String(value)}`, sum);
      }
      const selected = roots.filter(isSelected).length;
      if (selected > 0) {
        expect(sums.get('selection resource.service.name shop')).toBe(selected);
        expect(sums.get('selection_total resource.service.name nil')).toBe(selected);
      }
      if (selected < roots.length) {
        expect(sums.get('baseline resource.service.name shop')).toBe(roots.length - selected);
        expect(sums.get('baseline_total resource.service.name nil')).toBe(roots.length - selected);
      }
    });

    test('with a selection of its own time', async () => {
      const middle = OLDEST_MS + 10_000 * (TRACES / 2) - 5000;
      const q = `{${P}} | compare({duration >= 1ms}, 10, ${nanos(OLDEST_MS - 1000)}, ${nanos(middle)})`;
      const { series = [] } = await range(q, `${RANGE}s`);
      const selection = series.find((one) => {
        const labels = labelsOf(one);
        return labels['__meta_type'] === 'selection' && labels['resource.service.name'] === 'shop';
      });
      const sum = (selection?.samples ?? []).reduce((total, sample) => total + Number(sample.value ?? 0), 0);
      expect(sum).toBe(TRACES / 2);
    });
  });
}

function describeSearches({ url, ask, search }: DrilldownClient): void {
  describe('9: the structure', () => {
    const select = 'select(status, resource.service.name, name, nestedSetParent, nestedSetLeft, nestedSetRight)';
    test.each([
      ['status = error', `${P} && status = error`, (span: DrilldownSpan) => span.failed],
      ['duration > 4ms', `${P} && duration > 30ms`, (span: DrilldownSpan) => span.durationMs > 4],
      ['kind = server', P, (span: DrilldownSpan) => span.kind === 2],
      ['duration > 0', P, () => true],
    ])('of spans with %s is one set a trace, numbered', async (below, above, isBelow) => {
      const { traces } = await search(`({${above}} &>> { ${below} }) || ({${above}}) | ${select}`, 200, 20);
      const expected = roots.filter(
        (root) => (!above.includes('error') || root.failed) && (!above.includes('30ms') || root.durationMs > 30),
      );
      expect(traces).toHaveLength(expected.length);
      for (const trace of traces) {
        expect(trace.spanSets).toHaveLength(1);
        const number = Number.parseInt(trace.traceID.slice(-4), 16) - 1;
        const own = spans.filter((span) => span.trace === number);
        const shown = trace.spanSets?.[0]?.spans ?? [];
        expect(shown).toHaveLength(own.filter((span) => span.parent === undefined || isBelow(span)).length);
        for (const span of shown) {
          const values = valuesOf(span);
          const plain = own.find((one) => spanId(one.number).toString('hex') === span.spanID);
          const left = Number(values.get('nestedSetLeft')?.intValue);
          const right = Number(values.get('nestedSetRight')?.intValue);
          // Each span of these traces has one child at most.
          expect([left, right]).toEqual([plain?.number, 7 - (plain?.number ?? 0)]);
          expect(values.get('nestedSetParent')).toEqual({ intValue: String(plain?.parent ?? -1) });
          expect(values.get('status')).toEqual({ stringValue: plain?.failed === true ? 'error' : 'unset' });
          expect(values.get('service.name')).toEqual({ stringValue: plain?.service });
          expect(span.name).toBe(plain?.name);
        }
      }
    });
  });

  describe('exceptions', () => {
    const declined = spans.filter(({ exception }) => exception !== undefined);
    const all = 'true && true && status = error';
    const select =
      'select(resource.service.name, event.exception.message,event.exception.stacktrace,event.exception.type)';

    test('10: are listed with their messages', async () => {
      const { traces } = await search(`{${all}} | ${select} with(most_recent=true)`, 400, 10);
      expect(traces).toHaveLength(declined.length);
      const found = traces.flatMap((trace) => trace.spanSets?.[0]?.spans ?? []).map(valuesOf);
      const messages = found.flatMap((values) => values.get('exception.message')?.stringValue ?? []);
      expect(messages.sort()).toEqual(declined.flatMap(({ exception }) => exception ?? []).sort());
      const withMessage = found.filter((values) => values.has('exception.message'));
      for (const values of withMessage) {
        expect(values.get('exception.type')).toEqual({ stringValue: 'CardError' });
        expect(values.get('exception.stacktrace')).toEqual({ stringValue: 'at charge\nat order' });
        expect(values.get('service.name')).toEqual({ stringValue: 'payment' });
      }
    });

    test.each([
      [String.raw`event.exception.message = "card declined\nby bank 0"`, (message: string) => message.endsWith('0')],
      [String.raw`event.exception.message =~ "card declined.*"`, () => true],
      [String.raw`event.exception.message =~ "card.*" && event.exception.type = "CardError"`, () => true],
      [String.raw`event.exception.message =~ "declined"`, () => false],
    ])('11: with %s', async (condition, matches) => {
      const expected = declined.filter(({ exception = '' }) => matches(exception));
      for (const rest of ['', ' | select(name,resource.service.name)']) {
        const { traces } = await search(`{${all} && ${condition}}${rest}`, 100, 10);
        expect(traces).toHaveLength(expected.length);
        expect(traces.every((trace) => trace.spanSets?.[0]?.matched === 1)).toBe(true);
      }
    });
  });

  describe('12: a list of spans', () => {
    test('has the columns that were chosen', async () => {
      const columns = 'event:name,trace:rootName,span.http.request.method,resource.service.name,kind,duration';
      const { traces } = await search(`{${P} && status = error} | select(${columns})`, 200, 10);
      expect(traces).toHaveLength(roots.filter(({ failed }) => failed).length);
      for (const trace of traces) {
        const values = valuesOf(trace.spanSets?.[0]?.spans[0] ?? {});
        expect(values.get('trace:rootName')?.stringValue).toBe(trace.rootTraceName);
        expect(['GET', 'POST']).toContain(values.get('http.request.method')?.stringValue);
        expect(values.get('kind')).toEqual({ stringValue: 'server' });
        expect(values.get('duration')?.stringValue).toBe(`${trace.durationMs}ms`);
      }
    });

    test.each([
      ['duration > 30ms', 13],
      ['duration >= 30ms && duration <= 35ms', 6],
      ['duration > 0', 24],
      ['duration > 2s', 0],
    ])('with %s', async (condition, count) => {
      expect((await search(`{${P}&& ${condition}}`, 200, 10)).traces).toHaveLength(count);
    });

    test('with a bound that is not written yet is refused as a query', async () => {
      const { status, text } = await ask('/api/search', {
        q: `{${P}&& duration > }`,
        limit: 200,
        start: START,
        end: END,
      });
      expect([status, text]).toEqual([
        400,
        expect.stringMatching(/^invalid TraceQL query: parse error at line 1, col /),
      ]);
    });
  });

  test('13: a trace by its id, and of a search that has parts in the head and in a block', async () => {
    const { traces } = await search('{ name = "SELECT" }', 200, 3);
    expect(traces).toHaveLength(TRACES);
    for (const { traceID } of traces.slice(0, 4)) {
      expect((await fetchTraceAsGrafana(url(), traceID)).spans).toHaveLength(3);
    }
  });
}

function describeTags({ body }: DrilldownClient): void {
  describe('the lists of attributes', () => {
    test('have every attribute under its scope', async () => {
      const answer = JSON.parse(await body('/api/v2/search/tags', { limit: 5000 })) as {
        scopes: { name: string; tags: string[] }[];
      };
      const scopes = new Map(answer.scopes.map(({ name, tags }) => [name, tags]));
      expect(scopes.get('resource')).toContain('service.name');
      expect(scopes.get('span')).toEqual(expect.arrayContaining(['db.system.name', 'http.request.method']));
      expect(scopes.get('event')).toContain('exception.message');
      expect(scopes.get('intrinsic')).toContain('trace:rootName');
      expect(answer.scopes.every(({ tags }) => tags.length > 0)).toBe(true);
    });

    test('have the values of an attribute, narrowed by the filters so far', async () => {
      const values = async (tag: string, q: string) =>
        (JSON.parse(await body(`/api/v2/search/tag/${tag}/values`, { limit: 5000, q, tag })) as { tagValues: object[] })
          .tagValues;
      const strings = (...texts: string[]) => texts.map((value) => ({ type: 'string', value }));
      expect(await values('resource.service.name', '{}')).toEqual(strings('payment', 'shop'));
      expect(await values('name', '{resource.service.name="shop" && span.x=}')).toEqual(
        strings('GET /cart', 'POST /order'),
      );
      expect(await values('status', '{')).toHaveLength(3);
      expect(await values('span.db.system.name', 'no query')).toEqual(strings('postgresql'));
    });
  });
}
