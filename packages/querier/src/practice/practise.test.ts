import { type BlockSections, encodeBlock, layoutObjects } from '@vivace/block';
import { Columnizer, ColumnSet, sortedRows } from '@vivace/columns';
import { concatBytes, hexToBytes, seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { blockKey, openManifest } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { tracesFromJson } from '@vivace/otlp';
import { createLogger } from '@vivace/telemetry';
import { afterEach, expect, test } from 'vitest';
import { type PractiseOptions, Querier } from '../querier.ts';
import type { NewBlock } from '../trace-search.ts';
import type { QuestionAnswer } from './practise.ts';

// Practice in a real query thread, over blocks in a store.

const TENANT = 'shop';
const START_MS = 1_790_000_000_000;
const QUESTIONS_A_ROUND = 26;
const ROUNDS = 5;
const signal = new AbortController().signal;
const queriers: Querier[] = [];

afterEach(async () => {
  for (const querier of queriers.splice(0)) await querier.stop();
});

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

/** Traces of a server span and four below it, every fifth of them failed. */
function request(first: number, traces: number): Uint8Array {
  const spans = Array.from({ length: 5 * traces }, (_, i) => {
    const trace = first + Math.floor(i / 5);
    const start = BigInt(START_MS + 10 * trace + (i % 5)) * 1_000_000n;
    return {
      traceId: hex(trace + 1, 32),
      spanId: hex(i + 1, 16),
      parentSpanId: i % 5 === 0 ? '' : hex(i - (i % 5) + 1, 16),
      name: i % 5 === 0 ? 'GET /cart' : 'SELECT',
      kind: i % 5 === 0 ? 2 : 3,
      startTimeUnixNano: `${start}`,
      endTimeUnixNano: `${start + 30_000_000n}`,
      attributes: [
        text('order.id', `order-${trace}`),
        text('http.route', '/cart'),
        text('a "key" \\', `${i % 3}`),
        { key: 'http.response.status_code', value: { intValue: '200' } },
      ],
      status: trace % 5 === 0 ? { code: 2 } : {},
    };
  });
  const resource = { attributes: [text('service.name', 'shop')] };
  return tracesFromJson(Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] })));
}

/** A querier over blocks of `traces` traces each. */
async function setUp(blocks: number, traces: number) {
  const store = createMemoryStore();
  const random = seededRandom(3);
  const manifest = openManifest({ store, tenant: TENANT, clock: systemClock, random });
  const addBlock = async (block: number): Promise<NewBlock> => {
    const set = new ColumnSet({ seed: 1, maxColumns: 64 });
    new Columnizer(set, { maxAttributeBytes: 1 << 16, maxTraceBytes: 1 << 24 }).add(request(traces * block, traces));
    const view = set.view();
    const encoded = encodeBlock(view, sortedRows(view), { seed: 1 });
    const { objects, sections } = layoutObjects(encoded);
    const { filterBytes, rows, minStart, maxEnd } = encoded;
    const id = uuidV7(START_MS + block, random);
    for (const { name, parts } of objects) await store.put(blockKey(TENANT, id, name), parts);
    const content = { sections, rows, traces: encoded.traces, minStart, maxEnd, filterBytes };
    const entry = { ...content, id, commitTimeMs: START_MS, level: 0, retentionClass: '', applied: 0 };
    await manifest.commit({ add: [entry], remove: [], cover: [] }, signal);
    const bytesOf = (name: keyof BlockSections): Uint8Array => {
      const { object, offset, length } = sections[name];
      const bytes = concatBytes(objects.find((one) => one.name === object)?.parts ?? []);
      return bytes.slice(offset, offset + length);
    };
    const [index, filter] = [bytesOf('index'), bytesOf('filter')];
    return { tenant: TENANT, entry, sections: { index, filter, spans: bytesOf('spans'), events: bytesOf('events') } };
  };
  for (let block = 0; block < blocks; block++) await addBlock(block);
  const querier = new Querier({
    heads: {
      findTrace: async () => ({ parts: [], problems: [] }),
      headViews: async () => ({ views: [], problems: [] }),
    },
    manifest: () => manifest,
    store,
    cacheBytes: 1 << 24,
    filterCacheBytes: 1 << 22,
    workers: 1,
    keepsPartials: true,
    clock: systemClock,
    random,
    logger: createLogger({ level: 'error', format: 'json' }),
    onExit: (error) => {
      throw error;
    },
  });
  queriers.push(querier);
  const answers: QuestionAnswer[] = [];
  const lookedUp: Uint8Array[] = [];
  const practise = (also: Partial<Omit<PractiseOptions, 'use'>> & { use?: () => void } = {}) =>
    querier.practise({
      signal,
      ...also,
      use: async (answer) => {
        if (answer.kind === 'trace') lookedUp.push(answer.trace);
        else answers.push(answer);
        also.use?.();
      },
    });
  return { querier, practise, answers, lookedUp, addBlock };
}

function found({ kind, result }: QuestionAnswer): number {
  switch (kind) {
    case 'search':
      return result.written?.count ?? result.traces.length;
    case 'metrics':
      return result.series.length;
    case 'tags':
      return result.scopes.length;
    case 'tagValues':
      return result.values.length;
  }
}

test('practice is on questions that have answers, all but the one about a value that is nowhere', async () => {
  const { practise, answers, lookedUp } = await setUp(3, 100);
  await practise();
  expect(lookedUp.length).toBeGreaterThan(2 * ROUNDS);
  expect(Math.min(...lookedUp.map(({ length }) => length))).toBeGreaterThan(500);
  expect(answers).toHaveLength(ROUNDS * QUESTIONS_A_ROUND);
  expect(answers.filter((answer) => found(answer) === 0)).toHaveLength(ROUNDS);
  const longest = answers.map((answer) => (answer.kind === 'search' ? found(answer) : 0));
  // Two blocks in every round but the last, and all three then; pages of 200 traces and more.
  expect(Math.max(...longest.slice(0, -QUESTIONS_A_ROUND))).toBe(200);
  expect(Math.max(...longest.slice(-QUESTIONS_A_ROUND))).toBe(300);
});

test('attributes of many values are not grouped by', async () => {
  const { practise, answers } = await setUp(1, 300);
  await practise();
  for (const answer of answers) if (answer.kind === 'metrics') expect(found(answer)).toBeLessThan(100);
});

test('where there is no block lookups are practised on one that is made up, which nobody finds', async () => {
  const other = await setUp(0, 100);
  const madeUp = await other.addBlock(0);
  const { querier, practise, answers, lookedUp } = await setUp(0, 100);
  await practise({ madeUp: Promise.resolve(undefined) });
  expect(lookedUp).toEqual([]);
  await practise({ madeUp: Promise.resolve(madeUp) });
  expect([answers.length, lookedUp.length]).toEqual([0, 100]);
  expect(Math.min(...lookedUp.map(({ length }) => length))).toBeGreaterThan(500);
  const { trace } = await querier.findTrace(TENANT, hexToBytes(hex(50, 32)), { maxBytes: 1 << 20, signal });
  expect(trace).toHaveLength(0);
});

test('where there is a block, a made-up one is not waited for', async () => {
  const { practise, answers } = await setUp(1, 10);
  await practise({ madeUp: new Promise(() => undefined) });
  expect(answers).toHaveLength(ROUNDS * QUESTIONS_A_ROUND);
});

test('practice ends when nobody wants it', async () => {
  const { practise, answers } = await setUp(1, 10);
  const abort = new AbortController();
  const use = () => {
    if (answers.length === 30) abort.abort(new Error('stopped'));
  };
  const practice = practise({ use, signal: abort.signal });
  await expect(practice).rejects.toThrow('stopped');
  expect(answers).toHaveLength(30);
});

test('queries are answered while a thread practises', async () => {
  const { querier, practise } = await setUp(3, 100);
  const practice = practise();
  const range = { startUnixNano: 0n, endUnixNano: BigInt(START_MS + 100_000) * 1_000_000n };
  const request = { scope: undefined, filter: undefined, limit: 0 };
  const { result, problems } = await querier.query(TENANT, { kind: 'tags', request }, range, signal);
  expect(problems).toEqual([]);
  expect(result.scopes.flatMap(({ tags }) => tags)).toContain('order.id');
  await practice;
});
