import {
  decodeInstantStrictly,
  decodeRangeStrictly,
  decodeSearchStrictly,
  type StrictInstant,
  type StrictRange,
  type StrictSearch,
  type StrictTrace,
} from '@vivace/api/testing';
import type { TestServer } from './server.ts';

export interface AskOptions {
  tenant?: string;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  text: string;
  /** `X-Vivace-Cursor` and `X-Vivace-Partial`. */
  cursor: string | undefined;
  partial: string | undefined;
}

export type Parameters = Record<string, string | number>;

/** Asks the API; whatever the status. */
export async function ask(
  server: Pick<TestServer, 'http'>,
  path: string,
  parameters: Parameters,
  { tenant, signal }: AskOptions = {},
): Promise<Answer> {
  const query = new URLSearchParams(
    Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const response = await fetch(`${server.http}${path}?${query.toString()}`, {
    headers: { ...(tenant !== undefined && { 'x-scope-orgid': tenant }) },
    ...(signal !== undefined && { signal }),
  });
  return {
    status: response.status,
    text: await response.text(),
    cursor: response.headers.get('x-vivace-cursor') ?? undefined,
    partial: response.headers.get('x-vivace-partial') ?? undefined,
  };
}

async function ask200(server: TestServer, path: string, parameters: Parameters, options: AskOptions): Promise<Answer> {
  const answer = await ask(server, path, parameters, options);
  if (answer.status !== 200) throw new Error(`a query failed: ${answer.status} ${answer.text}`);
  return answer;
}

/** A search of the last quarter of an hour up to now, decoded as strictly as Grafana does. */
export async function search(
  server: TestServer,
  q: string,
  parameters: Parameters = {},
  options: AskOptions = {},
): Promise<StrictSearch & Pick<Answer, 'cursor' | 'partial'>> {
  const { text, cursor, partial } = await ask200(server, '/api/search', { q, ...parameters }, options);
  return { ...decodeSearchStrictly(text), cursor, partial };
}

/** The traces of a search over all its pages, in order. */
export async function searchPages(
  server: TestServer,
  q: string,
  parameters: Parameters,
  options: AskOptions = {},
): Promise<{ traces: StrictTrace[]; pages: number }> {
  const traces: StrictTrace[] = [];
  let cursor: string | undefined;
  for (let pages = 1; pages < 1000; pages++) {
    const page = await search(server, q, { ...parameters, ...(cursor !== undefined && { cursor }) }, options);
    traces.push(...page.traces);
    cursor = page.cursor;
    if (cursor === undefined) return { traces, pages };
  }
  throw new Error('the pages of a search do not end');
}

export async function queryRange(
  server: TestServer,
  q: string,
  parameters: Parameters = {},
  options: AskOptions = {},
): Promise<StrictRange> {
  return decodeRangeStrictly((await ask200(server, '/api/metrics/query_range', { q, ...parameters }, options)).text);
}

async function queryInstant(
  server: TestServer,
  q: string,
  parameters: Parameters = {},
  options: AskOptions = {},
): Promise<StrictInstant> {
  return decodeInstantStrictly((await ask200(server, '/api/metrics/query', { q, ...parameters }, options)).text);
}

/** The value of a query for one number; undefined where nothing counted. */
export async function countOf(server: TestServer, q: string, options: AskOptions = {}): Promise<number | undefined> {
  const { series = [] } = await queryInstant(server, q, { since: '1h' }, options);
  if (series.length > 1) throw new Error(`${series.length} series of one number`);
  return series[0] && Number(series[0].value ?? 0);
}

/** The values of an attribute that a server knows. */
export async function valuesOf(server: TestServer, tag: string, options: AskOptions = {}): Promise<string[]> {
  const { text } = await ask200(server, `/api/v2/search/tag/${tag}/values`, {}, options);
  return (JSON.parse(text) as { tagValues: { value: string }[] }).tagValues.map(({ value }) => value);
}

/** A metric of `/metrics` with its labels as it stands there; 0 where it has no line. */
export async function metricOf(server: TestServer, series: string): Promise<number> {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}
