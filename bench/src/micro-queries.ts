import type { BlockReader } from '@vivace/block';
import { blockSource, metrics, type Source, search } from '@vivace/block-query';
import { bytesToHex } from '@vivace/kernel';
import { parse, type Query } from '@vivace/traceql';
import type { SpanFacts } from './span-facts.ts';
import { spanTests } from './span-tests.ts';
import { median } from './statistics.ts';
import { type AskedTraces, anySpan, askedTraces, type TraceTest } from './trace-tests.ts';
import type { Truth } from './truth.ts';

export type NoteQuery = (name: string, unit: 'spans/s' | 'queries/s', value: number) => void;

export interface QueryBlocks {
  /** All spans in one block. */
  whole: BlockReader;
  /** A reader for each of two blocks, in which most traces are in parts; new ones each time, with ids never used. */
  halves: () => BlockReader[];
}

const ROUNDS = 9;
const LIMIT = 20;
const PARSED = 2000;
const RUN = { signal: new AbortController().signal, breathe: async () => undefined };

/** Times scans, seams, metrics and the parser alone, columns decoded but for what is called first. Judges answers. */
export async function measureQueries(
  { whole, halves }: QueryBlocks,
  truth: Truth,
  facts: SpanFacts,
  note: NoteQuery,
): Promise<void> {
  const traces = askedTraces(truth, facts);
  const cases = scanCases(traces);
  const sources = [blockSource(whole)];
  for (const { name, text, test } of cases) {
    const query = parse(text);
    const wanted = traces.matching(test).slice(0, LIMIT);
    const scan = () => judgedSearch(name, sources, query, wanted);
    await scan();
    note(`scan: ${name}`, 'spans/s', truth.spans / (await medianSeconds(scan)));
  }
  await measureSeams(halves, traces, truth, note);
  await measureMetrics(sources, traces, truth, note);
  const texts = cases.map(({ text }) => text);
  const parsing = await medianSeconds(() => {
    for (let at = 0; at < PARSED; at++) parse(texts[at % texts.length] as string);
  });
  note('parse', 'queries/s', PARSED / parsing);
}

function scanCases({ facts }: AskedTraces): { name: string; text: string; test: TraceTest }[] {
  const { attribute, both, failed, longerThan, service, url } = spanTests(facts);
  const route = '/v1/catalogue/batch';
  return [
    {
      name: 'comparison',
      text: `{ span.http.route = "${route}" }`,
      test: anySpan(attribute('http.route', (value) => value === route)),
    },
    { name: 'duration', text: '{ duration > 20ms }', test: anySpan(longerThan(20)) },
    {
      name: 'conjunction',
      text: '{ resource.service.name = "catalogue" && status = error }',
      test: anySpan(both(service('catalogue'), failed)),
    },
    {
      name: 'regex',
      text: '{ span.url.full =~ ".*catalogue.*ref=77.*" }',
      test: anySpan(url((value) => /catalogue.*ref=77/.test(value))),
    },
  ];
}

/** The same search over two blocks with most traces in both: finding those traces, and then knowing them. */
async function measureSeams(
  halves: QueryBlocks['halves'],
  traces: AskedTraces,
  truth: Truth,
  note: NoteQuery,
): Promise<void> {
  const query = parse('{ status = error }');
  const wanted = traces.matching(anySpan(spanTests(traces.facts).failed)).slice(0, LIMIT);
  const first: number[] = [];
  let sources: Source[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    sources = halves().map((reader) => blockSource(reader));
    // Columns that are decoded are not what is measured here, but belong to it: every time anew.
    first.push(await secondsOf(() => judgedSearch('seams', sources, query, wanted)));
  }
  note('seams: first, decoding', 'spans/s', truth.spans / median(first));
  const again = await medianSeconds(() => judgedSearch('seams', sources, query, wanted));
  note('seams: known', 'spans/s', truth.spans / again);
}

async function measureMetrics(
  sources: readonly Source[],
  traces: AskedTraces,
  truth: Truth,
  note: NoteQuery,
): Promise<void> {
  const second = 1_000_000_000n;
  const startUnixNano = BigInt(Math.floor(traces.startMs / 1000) - 1) * second;
  const steps = BigInt(Math.ceil((traces.endMs - traces.startMs) / 1000) + 2);
  for (const [name, text] of [
    ['rate', '{ } | rate() by (resource.service.name)'],
    ['histogram', '{ } | histogram_over_time(duration)'],
    ['quantile', '{ } | quantile_over_time(duration, .5, .95, .99) by (resource.service.name)'],
  ] as const) {
    const request = {
      query: parse(text),
      startUnixNano,
      endUnixNano: startUnixNano + steps * second,
      stepNanos: second,
      exemplars: 0,
      maxSeries: 0,
    };
    const run = async () => {
      const { series } = await metrics(sources, request, RUN);
      const sum = series.flatMap(({ samples }) => samples).reduce((total, { value }) => total + value, 0);
      // Of quantiles the sum says nothing; that there are some does.
      const right = name === 'quantile' ? sum > 0 : Math.round(sum) === truth.spans;
      if (!right) throw new Error(`metrics ${name}: ${sum} of ${truth.spans} spans`);
    };
    await run();
    note(`metrics: ${name}`, 'spans/s', truth.spans / (await medianSeconds(run)));
  }
}

async function judgedSearch(
  name: string,
  sources: readonly Source[],
  query: Query,
  wanted: readonly string[],
): Promise<void> {
  const request = {
    query,
    startUnixNano: undefined,
    endUnixNano: undefined,
    limit: LIMIT,
    spansPerSpanset: 3,
    after: undefined,
  };
  const found = (await search(sources, request, RUN)).traces.map(({ traceId }) => bytesToHex(traceId));
  if (found.join() !== wanted.join()) {
    throw new Error(`${name}: found ${found.length} traces, wanted ${wanted.length}, or others or in another order`);
  }
}

async function medianSeconds(work: () => void | Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await secondsOf(work));
  return median(times);
}

async function secondsOf(work: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
