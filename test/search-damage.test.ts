import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodeRangeStrictly, decodeSearchStrictly } from '@vivace/api/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { ask, metricOf } from './harness/query-client.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { type StoredBlock, storedBlocks } from './harness/stored-blocks.ts';
import { flush, replayed, sendBytes } from './harness/traces-client.ts';

// Questions over blocks of which one cannot be read: refused with its name, or answered without it to who says that a
// part is enough.

const DAMAGES: { what: string; damage: (block: StoredBlock) => void; says: string }[] = [
  {
    what: 'a damaged index',
    damage: ({ directory }) => turnBytes(path.join(directory, 'index')),
    says: 'cannot be read',
  },
  {
    what: 'damaged pages',
    damage: ({ directory }) => turnBytes(path.join(directory, 'spans.parquet')),
    says: 'cannot be read',
  },
  {
    what: 'no objects any more',
    damage: ({ directory }) => {
      for (const name of readdirSync(directory)) rmSync(path.join(directory, name));
    },
    says: 'is gone from the store',
  },
];

function turnBytes(file: string): void {
  const bytes = readFileSync(file);
  writeFileSync(
    file,
    bytes.map((byte) => byte ^ 0xff),
  );
  expect(statSync(file).size).toBe(bytes.length);
}

describe.each(DAMAGES)('beside a block with $what', ({ damage, says }) => {
  const data = temporaryDirectory();
  const startMs = Date.now() - 30_000;
  let server: TestServer;
  let block: StoredBlock;
  const range = { start: Math.floor(startMs / 1000) - 60, end: Math.floor(startMs / 1000) + 60, step: '120s' };
  const QUESTIONS: [path: string, parameters: Record<string, string | number>][] = [
    ['/api/search', { q: '{ name = "op" }' }],
    ['/api/metrics/query_range', { q: '{ name = "op" } | count_over_time()', ...range }],
    ['/api/metrics/query', { q: '{ name = "op" } | count_over_time()', since: '1h' }],
    ['/api/v2/search/tag/name/values', { q: '{ kind = internal }' }],
  ];

  beforeAll(async () => {
    server = await startServer({ dataDir: data.path });
    for (const trace of ['1', '2', '3']) {
      await sendBytes(server, encodePlainSpans([{ trace, span: '1', startMs: startMs + 1000 * Number(trace) }]));
      if (trace !== '3') await flush(server);
    }
    await server.stop();
    [block] = storedBlocks(data.path) as [StoredBlock];
    damage(block);
    server = await startServer({ dataDir: data.path });
    await replayed(server);
  });
  afterAll(async () => {
    await server.stop();
    data.remove();
  });

  test.each(QUESTIONS)('%s is refused, and names it', async (asked, parameters) => {
    const { status, text } = await ask(server, asked, parameters);
    expect(status, text).toBe(503);
    expect(text).toContain(`block ${block.id} ${says}`);
    expect(text).toContain('partial=true');
    expect(server.output()).toMatch(new RegExp(`"level":"warn".*${block.id}`));
  });

  test.each(QUESTIONS)('%s with partial=true answers from the rest, and says so', async (asked, parameters) => {
    const { status, text, partial } = await ask(server, asked, { ...parameters, partial: 'true' });
    expect(status, text).toBe(200);
    expect(partial).toContain(`block ${block.id} ${says}`);
    if (asked === '/api/search') {
      expect(decodeSearchStrictly(text).traces.map(({ traceID }) => traceID)).toEqual(['3', '2']);
    }
    if (asked === '/api/metrics/query_range') {
      const { series = [], status: told, message } = decodeRangeStrictly(text);
      const counts = series.flatMap(({ samples }) => samples ?? []).map(({ value }) => Number(value ?? 0));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
      expect([told, message]).toEqual(['PARTIAL', expect.stringContaining(block.id)]);
    }
  });

  test('a search of a time without it is whole', async () => {
    const start = Math.floor(startMs / 1000) + 3 * 3600;
    const { status, partial } = await ask(server, '/api/search', { q: '{}', start, end: start + 60 });
    expect([status, partial]).toEqual([200, undefined]);
  });

  test('the metrics of the server count such answers', async () => {
    expect(await metricOf(server, 'vivace_query_duration_seconds_count{kind="search",outcome="partial"}')).toBe(2);
    expect(await metricOf(server, 'vivace_query_duration_seconds_count{kind="metrics",outcome="partial"}')).toBe(4);
  });
});
