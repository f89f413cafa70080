import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { bytesToHex, seededRandom, utf8Encode } from '@vivace/kernel';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBlock } from './encode-block.ts';
import { mergeStored } from './testing/merge-stored.ts';
import {
  blockOrder,
  buildSet,
  plainSpans,
  type StoredBlock,
  storeBlock,
  type TestAttribute,
  type TestSpan,
} from './testing.ts';

// What other programs see: DuckDB and hyparquet read every table, and agree with what was stored.

const START = 1_760_000_000_000_000_000n;
const SPANS = 3000;

function resource(service: string): Uint8Array {
  const value = utf8Encode(service);
  const any = [0x0a, value.length, ...value];
  const keyValue = [0x0a, 12, ...utf8Encode('service.name'), 0x12, any.length, ...any];
  const body = [0x0a, keyValue.length, ...keyValue];
  return Uint8Array.of(0x0a, body.length, ...body);
}

function spans(): TestSpan[] {
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[random.u32() % list.length] as T;
  return Array.from({ length: SPANS }, (_, i): TestSpan => {
    const attributes: TestAttribute[] = [['http.method', pick(['GET', 'POST', 'Übermut'])]];
    if (i % 2 === 0)
      attributes.push(['url', `http://shop/${random.u32()}`], ['size', BigInt(random.u32()) * -3_000_000_000n]);
    if (i % 3 === 0) attributes.push(['cached', i % 2 === 0], ['ratio', i % 5 === 0 ? Number.NaN : random.u32() / 7]);
    if (i % 97 === 0) attributes.push(['code', 2n ** 62n + 1n]);
    const trace = i % 400;
    const start = i % 500 === 0 ? 7_258_118_400_000_000_000n : START + BigInt(random.u32());
    return {
      traceId: `${trace}`.padStart(32, '0'),
      spanId: `${i + 1}`.padStart(16, '0'),
      ...(i >= 400 && { parentId: `${trace + 1}`.padStart(16, '0') }),
      ...(i < 20 && { parentId: 'feedfeedfeedfeed' }),
      start,
      end: i % 11 === 0 ? start - 5n : start + BigInt(random.u32()),
      name: pick(['GET /', 'SELECT', 'publish']),
      kind: i % 6,
      status: i % 3,
      flags: 0xffffff01,
      resource: resource(pick(['cart', 'orders'])),
      ...(i % 50 === 0 && { statusMessage: 'failed', traceState: 'a=b' }),
      ...(i % 40 === 0 && {
        events: [{ time: start + 7n, name: 'exception', attributes: [['n', BigInt(i)]] }, { link: 'ab'.repeat(24) }],
      }),
      attributes,
      ...(i % 60 === 0 && { overflow: Uint8Array.of(0x50, 3) }),
    };
  });
}

const set = buildSet(spans());
const expected = plainSpans(set, blockOrder(set));
const options = { rowGroupRows: 1000, pageRows: 64 };
const cut = storeBlock(encodeBlock(set, blockOrder(set), options), 0);

/** The same spans from three blocks, some in two of them. */
async function mergedBlock(): Promise<StoredBlock> {
  const all = spans();
  const parts = [0, 1, 2].map((part) => buildSet(all.filter((_, i) => i % 3 === part || i % 31 === part)));
  const stores = parts.map((some) => storeBlock(encodeBlock(some, blockOrder(some), options), 0));
  const { merged } = await mergeStored(stores, options);
  return (merged[0] as (typeof merged)[number]).store;
}

describe.each([
  ['a block that was cut', cut],
  ['a block that was merged', await mergedBlock()],
])('of %s', (_, store) => {
  async function hyparquetRows(name: string): Promise<Record<string, unknown>[]> {
    const bytes = store.objects.get(name) as Uint8Array<ArrayBuffer>;
    const zstd = (input: Uint8Array): Uint8Array => zstdDecompressSync(input);
    return parquetReadObjects({ file: bytes.buffer, compressors: { ZSTD: zstd }, utf8: false });
  }

  describe('hyparquet', () => {
    test('reads the spans as they were stored', async () => {
      const rows = await hyparquetRows('spans.parquet');
      expect(rows).toHaveLength(SPANS);
      for (const [i, row] of rows.entries()) {
        const span = expected[i];
        if (span === undefined) throw new Error('there are too many rows');
        expect(bytesToHex(row['trace_id'] as Uint8Array)).toBe(span.traceId);
        expect(bytesToHex(row['span_id'] as Uint8Array)).toBe(span.spanId);
        expect(row['start']).toBe(span.start);
        expect(row['duration']).toBe(span.end < span.start ? 0n : span.end - span.start);
        expect([row['name'], row['kind'], row['status'], row['flags']]).toEqual([
          span.name,
          span.kind,
          span.status,
          0xffffff01,
        ]);
        const parent = row['parent'] == null ? undefined : expected[i + (row['parent'] as number)];
        const parentId = row['parent_id'] == null ? '0'.repeat(16) : bytesToHex(row['parent_id'] as Uint8Array);
        expect(parent?.spanId ?? parentId).toBe(span.parentId);
        expect((row['status_message'] as string | undefined) ?? '').toBe(span.statusMessage);
        const ratio = row['attr.ratio#double'];
        const wire = new Uint8Array(Float64Array.of((ratio as number | undefined) ?? 0).buffer);
        if (ratio != null && !Number.isNaN(ratio)) {
          expect(span.attributes.some((attribute) => attribute.endsWith(bytesToHex(wire)))).toBe(true);
        }
        const method = Buffer.from((row['attr.http.method'] as string | undefined) ?? '').toString('hex');
        expect(span.attributes.some((attribute) => attribute.endsWith(method))).toBe(true);
      }
      const present = (column: string): number => rows.filter((row) => row[column] != null).length;
      expect(present('attr.url')).toBe(SPANS / 2);
      expect(present('attr.size#int')).toBe(SPANS / 2);
      expect(present('attr.cached#bool')).toBe(SPANS / 3);
      expect(rows.filter((row) => row['attr.code#int'] === 2n ** 62n + 1n)).toHaveLength(31);
    });

    test('reads events, resources and traces', async () => {
      const events = await hyparquetRows('events.parquet');
      const sent = expected.flatMap(({ events: list }, row) => list.map((event) => ({ ...event, row })));
      expect(events).toHaveLength(sent.length);
      for (const [i, event] of events.entries()) {
        expect(event['span_row']).toBe(sent[i]?.row);
        expect(event['kind']).toBe(sent[i]?.kind);
        if (event['kind'] === 0) expect([event['time_offset'], event['name']]).toEqual([7n, 'exception']);
        else expect(bytesToHex(event['linked_trace_id'] as Uint8Array)).toBe('ab'.repeat(16));
      }
      const resources = await hyparquetRows('resources.parquet');
      expect(new Set(resources.map((row) => row['service_name'] ?? null))).toEqual(new Set(['cart', 'orders', null]));
      const traces = await hyparquetRows('traces.parquet');
      expect(traces).toHaveLength(400);
      for (const trace of traces) {
        const first = trace['first_row'] as number;
        const own = expected.slice(first, first + (trace['span_count'] as number));
        expect(new Set(own.map(({ traceId }) => traceId))).toEqual(
          new Set([bytesToHex(trace['trace_id'] as Uint8Array)]),
        );
        expect(trace['error_count']).toBe(own.filter(({ status }) => status === 2).length);
        const end = own.reduce((max, span) => (span.end > max ? span.end : max), own[0]?.start ?? 0n);
        expect(trace['duration']).toBe(end - (own[0]?.start ?? 0n));
        const root = own.find(({ parentId }) => parentId === '0'.repeat(16));
        expect(trace['root_name'] ?? undefined).toBe(root?.name);
      }
    });
  });

  describe('DuckDB', () => {
    const directory = mkdtempSync(join(tmpdir(), 'vivace-block-'));
    let query: (sql: string) => Promise<unknown[][]>;
    beforeAll(async () => {
      for (const [name, bytes] of store.objects) writeFileSync(join(directory, name), bytes);
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      query = async (sql) => {
        const reader = await connection.runAndReadAll(sql.replaceAll('$', `${directory}/`));
        return reader.getRowsJS() as unknown[][];
      };
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    test('counts rows and sums times as they were stored', async () => {
      const durations = expected.reduce((sum, { start, end }) => sum + (end < start ? 0n : end - start), 0n);
      const starts = expected.map(({ start }) => start);
      const max = starts.reduce((a, b) => (a > b ? a : b));
      const min = starts.reduce((a, b) => (a < b ? a : b));
      const [row] = await query(
        `select count(*)::int, sum(duration)::varchar, min(start), max(start), count(distinct trace_id)::int from '$spans.parquet'`,
      );
      expect(row).toEqual([SPANS, `${durations}`, min, max, 400]);
      expect(await query(`select count(*)::int from '$spans.parquet' where start = ${max}`)).toEqual([
        [starts.filter((start) => start === max).length],
      ]);
    });

    test('groups by attribute columns and joins the tables', async () => {
      const rows = await query(`select "attr.http.method", count(*)::int from '$spans.parquet' group by 1 order by 1`);
      expect(rows.map(([method]) => method)).toEqual(['GET', 'POST', 'Übermut']);
      expect(rows.reduce((sum, [, count]) => sum + (count as number), 0)).toBe(SPANS);
      const [sums] = await query(
        `select sum("attr.size#int")::varchar, count("attr.url")::int, count("attr.cached#bool")::int,
       count(*) filter (where isnan("attr.ratio#double"))::int from '$spans.parquet'`,
      );
      const sizes = expected.flatMap(({ attributes }) => attributes).length;
      expect(sizes).toBeGreaterThan(0);
      expect(sums?.slice(1)).toEqual([SPANS / 2, SPANS / 3, SPANS / 15]);
      const joined = await query(
        `select r.service_name, count(*)::int from '$spans.parquet' s
       join '$resources.parquet' r on r.kind = 0 and r.id = s.resource_id group by 1 order by 1`,
      );
      const names = ['cart', 'orders'];
      const counts = names.map(
        (name) => expected.filter((span) => span.resource === bytesToHex(resource(name))).length,
      );
      expect(joined).toEqual(names.map((name, i) => [name, counts[i]]));
      const perTrace = await query(
        `select count(*)::int from '$traces.parquet' t join (select trace_id, count(*) c, min(file_row_number) f
       from read_parquet('$spans.parquet', file_row_number = true) group by 1) s using (trace_id)
       where s.c = t.span_count and s.f = t.first_row`,
      );
      expect(perTrace).toEqual([[400]]);
      const events = await query(`select kind, count(*)::int from '$events.parquet' group by 1 order by 1`);
      expect(events).toEqual([
        [0, SPANS / 40],
        [1, SPANS / 40],
      ]);
    });
  });
});
