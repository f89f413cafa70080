import { NOW_MS } from './drilldown-traces.ts';
import {
  decodeInstantStrictly,
  decodeRangeStrictly,
  decodeSearchStrictly,
  type StrictAttribute,
  type StrictInstant,
  type StrictRange,
  type StrictSearch,
} from './strict-answers.ts';

/** The half hour that is asked about, in Unix seconds. */
export const END = Math.ceil(NOW_MS / 1000) + 60;
export const START = END - 1800;
export const RANGE = END - START;

/** Asks a server as Grafana's data source does, and reads its answers as strictly. */
export interface DrilldownClient {
  url: () => string;
  ask: (path: string, parameters: Record<string, string | number>) => Promise<{ status: number; text: string }>;
  /** Of an answer that is 200; with the range unless another is given. */
  body: (path: string, parameters: Record<string, string | number>) => Promise<string>;
  range: (q: string, step?: string) => Promise<StrictRange>;
  instant: (q: string) => Promise<StrictInstant>;
  search: (q: string, limit: number, spss: number) => Promise<StrictSearch>;
}

export function createDrilldownClient(url: () => string): DrilldownClient {
  const ask = async (
    path: string,
    parameters: Record<string, string | number>,
  ): Promise<{ status: number; text: string }> => {
    const query = new URLSearchParams(
      Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const response = await fetch(`${url()}${path}?${query.toString()}`, {
      headers: { accept: 'application/json', 'accept-encoding': 'gzip' },
    });
    return { status: response.status, text: await response.text() };
  };

  const body = async (path: string, parameters: Record<string, string | number>): Promise<string> => {
    const { status, text } = await ask(path, { start: START, end: END, ...parameters });
    if (status !== 200) throw new Error(`Status: ${status} Body: ${text}`);
    return text;
  };

  const range = async (q: string, step?: string): Promise<StrictRange> =>
    decodeRangeStrictly(await body('/api/metrics/query_range', { q, ...(step !== undefined && { step }) }));
  const instant = async (q: string): Promise<StrictInstant> =>
    decodeInstantStrictly(await body('/api/metrics/query', { q }));
  const search = async (q: string, limit: number, spss: number): Promise<StrictSearch> =>
    decodeSearchStrictly(await body('/api/search', { q, limit, spss }));
  return { url, ask, body, range, instant, search };
}

/** Samples times the step: how many spans were counted. */
export function counted({ series = [] }: StrictRange, stepSeconds: number): number {
  const samples = series.flatMap((one) => one.samples ?? []);
  return Math.round(samples.reduce((sum, { value }) => sum + Number(value ?? 0), 0) * stepSeconds);
}

export function labelsOf(series: { labels?: StrictAttribute[] }): Record<string, unknown> {
  return Object.fromEntries((series.labels ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));
}

export function valuesOf(span: { attributes?: StrictAttribute[] }): Map<string, StrictAttribute['value']> {
  return new Map((span.attributes ?? []).map(({ key, value }) => [key, value]));
}
