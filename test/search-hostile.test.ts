import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { ask, metricOf, search } from './harness/query-client.ts';
import { openQueryStreams } from './harness/query-streams.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

// Queries that are made to cost much, and clients that do not wait for their answers.

const data = temporaryDirectory();
const NOW_MS = Date.now();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path, env: { VIVACE_LIMITS_MAX_ATTRIBUTE_BYTES: '64KiB' } });
  const long = `${'a'.repeat(30_000)}!`;
  for (let part = 0; part < 2; part++) {
    await sendBytes(
      server,
      encodePlainSpans(
        Array.from({ length: 20 }, (_, i) => ({
          trace: (0x1000 + 100 * part + i).toString(16),
          span: '1',
          startMs: NOW_MS - 1000 * i - 5000,
          attributes: { long, ['__proto__']: 'x', number: i },
        })),
      ),
    );
    if (part === 0) await flush(server);
  }
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  data.remove();
});

/** Slow machines are allowed for; a query that explodes takes minutes. */
const FAST_MS = 5000;

async function timed<T>(work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  expect(performance.now() - startedMs).toBeLessThan(FAST_MS);
  return result;
}

describe('a query that is refused, at once', () => {
  test.each([
    ['of 2000 parentheses', `{ ${'('.repeat(2000)}true${')'.repeat(2000)} }`],
    ['of 10,000 parentheses', `{ ${'('.repeat(10_000)}true${')'.repeat(10_000)} }`],
    ['of 10,000 opened parentheses', '('.repeat(10_000)],
    ['of 10,000 negations', `{ ${'!'.repeat(10_000)}true }`],
    ['of 10,000 signs', `{ span.a = ${'-'.repeat(10_000)}1 }`],
    ['of 10,000 sets in parentheses', `${'('.repeat(10_000)}{}${')'.repeat(10_000)}`],
    ['with an expression that ends early', `{ span.a =~ "${'('.repeat(1000)}" }`],
    ['with a repetition of repetitions', '{ span.long =~ "((((a{1,1000}){1,1000}){1,1000}){1,1000})" }'],
    ['with a look ahead', '{ span.long =~ "(?=a)a+" }'],
    ['with a back reference', String.raw`{ span.long =~ "(a+)\\1+" }`],
    ['with bytes that are nothing', '{ \u0000\u0007\ud800 }'],
  ])('%s', async (_, q) => {
    const refused = await timed(() => ask(server, '/api/search', { q }));
    // What is too long for a URL meets the parser over gRPC, in search-streams.test.ts.
    expect([400, 431], refused.text.slice(0, 200)).toContain(refused.status);
    expect(refused.text.length).toBeLessThan(2000);
    const metrics = await timed(() => ask(server, '/api/metrics/query', { q: `${q} | rate()` }));
    expect([400, 431]).toContain(metrics.status);
  });

  test('of 100 kB: more than a URL may have, or than a query', async () => {
    const q = `{ ${Array.from({ length: 5000 }, (_, i) => `span.key${i} = "${i}"`).join(' || ')} }`;
    expect(q.length).toBeGreaterThan(100_000);
    const refused = await timed(() => ask(server, '/api/search', { q }));
    expect([400, 414, 431]).toContain(refused.status);
  });
});

describe('a query that is answered', () => {
  test.each(['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*a){20}$', '(?i)(A+)+B', '([a-z]+)*[0-9]', '.*.*.*.*=.*'])(
    'in time, with %s over long values',
    async (pattern) => {
      for (const operator of ['=~', '!~']) {
        const found = await timed(() => search(server, `{ span.long ${operator} "${pattern}" }`, { limit: 100 }));
        expect(found.traces).toHaveLength(operator === '=~' ? 0 : 40);
      }
    },
  );

  test('with 300 conditions', async () => {
    const any = Array.from({ length: 300 }, (_, i) => `span.number = ${i}`).join(' || ');
    const found = await timed(() => search(server, `{ ${any} }`, { limit: 100 }));
    expect(found.traces).toHaveLength(40);
  });

  test('about names that are properties of objects elsewhere', async () => {
    expect((await search(server, '{ span."__proto__" = "x" }', { limit: 100 })).traces).toHaveLength(40);
    expect((await search(server, '{ span.constructor != nil || span.toString != nil }')).traces).toEqual([]);
    const values = await ask(server, '/api/v2/search/tag/span.__proto__/values', {});
    expect(values.status).toBe(200);
  });
});

describe('a client that does not wait', () => {
  const canceled = 'vivace_query_duration_seconds_count{kind="metrics",outcome="canceled"}';
  // Every condition reads every long value.
  const query = `{ ${Array.from({ length: 150 }, (_, i) => `span.long !~ "(a+)+b${i}"`).join(' && ')} } | rate()`;
  const CLIENTS = 6;
  const running = async () => metricOf(server, 'vivace_query_running');

  /** Has clients ask until their queries run, lets them go, and waits until nothing runs for them. */
  async function abandon(askOne: (gone: AbortSignal) => Promise<unknown>): Promise<unknown[]> {
    const before = await metricOf(server, canceled);
    const gone = new AbortController();
    const asked = Promise.all(Array.from({ length: CLIENTS }, () => askOne(gone.signal)));
    await vi.waitUntil(async () => (await running()) > 0, { interval: 5, timeout: 10_000 });
    gone.abort();
    const ends = await asked;
    await vi.waitUntil(async () => (await running()) === 0, { timeout: FAST_MS });
    expect(await metricOf(server, 'vivace_query_waiting')).toBe(0);
    expect(await metricOf(server, canceled)).toBeGreaterThan(before);
    await timed(async () => expect((await search(server, '{}')).traces).toHaveLength(20));
    return ends;
  }

  test('and hangs up, ends its query', async () => {
    const ends = await abandon((signal) =>
      ask(server, '/api/metrics/query_range', { q: query, since: '1h' }, { signal }).catch(
        (error: Error) => error.name,
      ),
    );
    expect(ends).toEqual(Array.from({ length: CLIENTS }, () => 'AbortError'));
  });

  test('and cancels its call, ends its query', async () => {
    const streams = openQueryStreams(server);
    const [start, end] = [NOW_MS - 3_600_000, NOW_MS + 1000].map((ms) => String(BigInt(ms) * 1_000_000n));
    const ends = await abandon((signal) => streams.cancel('MetricsQueryInstant', { query, start, end }, signal));
    expect(ends).toEqual(Array.from({ length: CLIENTS }, () => status.CANCELLED));
    streams.close();
  });
});
