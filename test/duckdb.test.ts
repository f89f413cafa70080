import { readFileSync } from 'node:fs';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { encodeTraces } from '@vivace/otlp/testing';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { spanId } from './fixtures/fidelity-cases.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { storedBlocks } from './harness/stored-blocks.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

// The blocks of a running server, as other programs see them: every table, against what was sent.

const SPANS = 4000;
const TRACES = 250;
const SERVICES = ['cart', 'payment', 'Übersetzer'];
const ROUTES = ['/cart', '/pay', "/o'rder"];
const start = BigInt(Date.now()) * 1_000_000n;

interface SentSpan {
  number: number;
  trace: number;
  start: bigint;
  duration: bigint;
  service: string;
  error: boolean;
  route: string;
  code: bigint;
  ratio: number | undefined;
  cached: boolean | undefined;
  events: number;
  links: number;
}

const sent: SentSpan[] = Array.from({ length: SPANS }, (_, number) => ({
  number,
  trace: number % TRACES,
  start: start + BigInt(number * 1000),
  duration: number % 13 === 0 ? 0n : BigInt((number * 7919) % 1_000_003),
  service: SERVICES[number % 3] as string,
  error: number % 17 === 0,
  route: ROUTES[(number >> 3) % 3] as string,
  code: number % 29 === 0 ? 500n : number === 1 ? 9_007_199_254_740_993n : 200n,
  ratio: number % 2 === 0 ? number / 7 : undefined,
  cached: number % 5 === 0 ? number % 10 === 0 : undefined,
  events: number % 11 === 0 ? 2 : 0,
  links: number % 37 === 0 ? 1 : 0,
}));

/** The first 250 are the roots; then each trace goes on in both halves, so most have a row in each block. */
function spanOf(span: SentSpan): object {
  const attributes: object[] = [
    { key: 'http.route', value: { stringValue: span.route } },
    { key: 'http.response.status_code', value: { intValue: String(span.code) } },
    { key: `rare.${span.number % 40}`, value: { stringValue: 'x' } },
  ];
  if (span.ratio !== undefined) attributes.push({ key: 'ratio', value: { doubleValue: span.ratio } });
  if (span.cached !== undefined) attributes.push({ key: 'cached', value: { boolValue: span.cached } });
  // What Parquet readers choke on must not reach them: it is kept aside.
  if (span.number % 101 === 0) attributes.push({ key: 'HTTP.route', value: { arrayValue: {} } });
  return {
    traceId: traceId(span.trace),
    spanId: spanId(span.number),
    ...(span.number >= TRACES && { parentSpanId: spanId(span.trace) }),
    name: `${span.route} ${span.number % 4}`,
    kind: (span.number % 5) + 1,
    startTimeUnixNano: String(span.start),
    // Where the duration is 0 the end is before the start.
    endTimeUnixNano: String(span.duration === 0n ? span.start - 5n : span.start + span.duration),
    attributes,
    status: span.error ? { code: 2, message: 'failed' } : {},
    events: Array.from({ length: span.events }, (_, i) => ({
      name: `event ${i}`,
      timeUnixNano: String(span.start + BigInt(i)),
      attributes: [{ key: 'attempt', value: { intValue: String(i) } }],
    })),
    links: Array.from({ length: span.links }, () => ({ traceId: traceId(span.trace), spanId: spanId(1) })),
  };
}

function traceId(trace: number): Buffer {
  return Buffer.from(`ee${trace.toString(16).padStart(30, '0')}`, 'hex');
}

const data = temporaryDirectory();
let server: TestServer;

beforeAll(async () => {
  // The defaults of a local store: every section is a file.
  server = await startServer({ dataDir: data.path });
  for (const half of [sent.slice(0, SPANS / 2), sent.slice(SPANS / 2)]) {
    const resourceSpans = SERVICES.map((service) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [{ scope: { name: 'test' }, spans: half.filter((span) => span.service === service).map(spanOf) }],
    }));
    await sendBytes(server, encodeTraces({ resourceSpans }));
    await flush(server);
  }
});

afterAll(async () => {
  await server.stop();
  data.remove();
});

const hex = (bytes: unknown) => Buffer.from(bytes as Uint8Array).toString('hex');

describe('hyparquet', () => {
  const rowsOf = async (table: string): Promise<Record<string, unknown>[][]> =>
    Promise.all(
      storedBlocks(data.path).map(({ directory }) => {
        const bytes = new Uint8Array(readFileSync(path.join(directory, `${table}.parquet`)));
        const zstd = (input: Uint8Array): Uint8Array => zstdDecompressSync(input);
        return parquetReadObjects({ file: bytes.buffer, compressors: { ZSTD: zstd }, utf8: false });
      }),
    );

  test('reads every span of both blocks as it was sent', async () => {
    const rows = (await rowsOf('spans')).flat();
    expect(rows).toHaveLength(SPANS);
    const bySpanId = new Map(rows.map((row) => [hex(row.span_id), row]));
    for (const span of sent) {
      const row = bySpanId.get(Buffer.from(spanId(span.number)).toString('hex'));
      expect(row, `span ${span.number}`).toMatchObject({
        start: span.start,
        duration: span.duration,
        name: `${span.route} ${span.number % 4}`,
        kind: (span.number % 5) + 1,
        status: span.error ? 2 : 0,
        'attr.http.route': span.route,
        'attr.http.response.status_code#int': span.code,
      });
      expect(hex(row?.trace_id)).toBe(traceId(span.trace).toString('hex'));
      expect(row?.['attr.ratio#double'] ?? undefined).toBe(span.ratio);
      expect(row?.['attr.cached#bool'] ?? undefined).toBe(span.cached);
      expect(row?.[`attr.rare.${span.number % 40}`]).toBe('x');
      expect(row?.['attr.HTTP.route']).toBeUndefined();
    }
  });

  test('reads every event, link, resource and trace', async () => {
    const events = (await rowsOf('events')).flat();
    const count = (list: 'events' | 'links') => sent.reduce((sum, span) => sum + span[list], 0);
    expect(events.filter(({ kind }) => kind === 0)).toHaveLength(count('events'));
    expect(events.filter(({ kind }) => kind === 1)).toHaveLength(count('links'));
    for (const event of events) {
      if (event.kind === 1) expect(hex(event.linked_span_id)).toBe(Buffer.from(spanId(1)).toString('hex'));
      else
        expect(event).toMatchObject({
          name: `event ${String(event.time_offset)}`,
          'attr.attempt#int': event.time_offset,
        });
    }
    for (const resources of await rowsOf('resources')) {
      expect(resources.flatMap(({ service_name }) => service_name ?? [])).toEqual(expect.arrayContaining(SERVICES));
      expect(resources.flatMap(({ scope_name }) => scope_name ?? [])).toEqual(['test']);
    }
    for (const [i, traces] of (await rowsOf('traces')).entries()) {
      expect(traces).toHaveLength(TRACES);
      const half = sent.slice((i * SPANS) / 2, ((i + 1) * SPANS) / 2);
      for (const trace of traces) {
        const own = half.filter((span) => traceId(span.trace).toString('hex') === hex(trace.trace_id));
        expect(trace).toMatchObject({
          span_count: own.length,
          error_count: own.filter(({ error }) => error).length,
          start: own[0]?.start,
        });
        // The root is in the first block only.
        expect(trace.root_service ?? undefined).toBe(i === 0 ? own[0]?.service : undefined);
      }
    }
  });
});

describe('DuckDB', () => {
  let query: (sql: string) => Promise<unknown[][]>;

  beforeAll(async () => {
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    query = async (sql) => {
      if (!sql.includes('data/store/')) throw new Error(`the query reads no block of ./data:\n${sql}`);
      const reader = await connection.runAndReadAll(sql.replaceAll('data/store/', `${data.path}/store/`));
      return reader.getRowsJS() as unknown[][];
    };
  });

  const files = (table: string) =>
    `read_parquet('data/store/tenants/*/blocks/*/*/${table}.parquet', union_by_name = true)`;

  test('counts and sums every table over all blocks', async () => {
    const durations = sent.reduce((sum, { duration }) => sum + duration, 0n);
    const codes = sent.reduce((sum, { code }) => sum + code, 0n);
    expect(
      await query(
        `select count(*)::int, count(distinct trace_id)::int, sum(duration)::varchar, min(start), max(start),
         sum("attr.http.response.status_code#int")::varchar, count("attr.ratio#double")::int,
         count(*) filter ("attr.cached#bool")::int, count(parent)::int + count(parent_id)::int
         from ${files('spans')}`,
      ),
    ).toEqual([
      [
        SPANS,
        TRACES,
        String(durations),
        sent[0]?.start,
        sent.at(-1)?.start,
        String(codes),
        sent.filter(({ ratio }) => ratio !== undefined).length,
        sent.filter(({ cached }) => cached === true).length,
        SPANS - TRACES,
      ],
    ]);
    expect(await query(`select kind, count(*)::int from ${files('events')} group by 1 order by 1`)).toEqual([
      [0, sent.reduce((sum, { events }) => sum + events, 0)],
      [1, sent.reduce((sum, { links }) => sum + links, 0)],
    ]);
    expect(await query(`select sum(span_count)::int, sum(error_count)::int from ${files('traces')}`)).toEqual([
      [SPANS, sent.filter(({ error }) => error).length],
    ]);
  });

  test('joins spans with their resources', async () => {
    const rows = await query(
      `select r.service_name, count(*)::int from read_parquet('data/store/tenants/*/blocks/*/*/spans.parquet',
         union_by_name = true, filename = true) s
       join read_parquet('data/store/tenants/*/blocks/*/*/resources.parquet', union_by_name = true, filename = true) r
       on r.kind = 0 and r.id = s.resource_id and parse_dirpath(r.filename) = parse_dirpath(s.filename)
       group by 1 order by 1`,
    );
    expect(rows).toEqual(SERVICES.map((service) => [service, sent.filter((span) => span.service === service).length]));
  });

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const queries = [...readme.matchAll(/^```sql\n(-- (.*)\n[^]*?)^```$/gm)].map(([, sql, title]) => ({ sql, title }));

  test('finds the slowest traces with the query of README.md', async () => {
    const { sql } = queries.find(({ title }) => title?.startsWith('slowest')) ?? {};
    const rows = await query(sql as string);
    const expected = Array.from({ length: TRACES }, (_, trace) => {
      const own = sent.filter((span) => span.trace === trace);
      const first = own.reduce((min, span) => (span.start < min ? span.start : min), own[0]?.start as bigint);
      const last = own.reduce((max, { start: at, duration }) => (at + duration > max ? at + duration : max), 0n);
      return {
        id: traceId(trace).toString('hex'),
        service: own[0]?.service,
        root: `${own[0]?.route} ${trace % 4}`,
        spans: BigInt(own.length),
        errors: BigInt(own.filter(({ error }) => error).length),
        ms: Number(last - first) / 1e6,
      };
    }).sort((a, b) => b.ms - a.ms);
    expect(rows).toEqual(
      expected.slice(0, 10).map(({ id, service, root, spans, errors, ms }) => [id, service, root, spans, errors, ms]),
    );
  });

  test('ranks routes with the query of README.md', async () => {
    const { sql } = queries.find(({ title }) => title?.startsWith('routes')) ?? {};
    const rows = await query(sql as string);
    const expected = ROUTES.map((route) => {
      const own = sent.filter((span) => span.route === route);
      return [route, BigInt(own.length), BigInt(own.filter(({ code }) => code >= 500n).length)];
    });
    const byRoute = ([route]: unknown[], [other]: unknown[]) => (String(route) < String(other) ? -1 : 1);
    expect(rows.map(([route, requests, , failed]) => [route, requests, failed]).sort(byRoute)).toEqual(
      expected.sort(byRoute),
    );
    for (const [, , p95] of rows) expect(p95).toBeGreaterThan(0.5);
  });

  test('runs every query of README.md', async () => {
    expect(queries.length).toBeGreaterThanOrEqual(2);
    for (const { sql } of queries) expect((await query(sql as string)).length).toBeGreaterThan(0);
  });
});
