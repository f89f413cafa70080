import { expect, test } from 'vitest';
import { type MeasuredRequests, monthlyCost, totalDollars, type Workload } from './cost-model.ts';
import { S3_STANDARD } from './prices.ts';

const requests = (put: number, list: number, get: number) => ({ put, list, get });

const measured: MeasuredRequests = {
  command: '',
  date: '',
  perCut: requests(2, 0, 3),
  idleHour: { data: requests(0, 100, 0), log: requests(360, 0, 0) },
  log: { perPut: requests(1, 0, 0) },
  perMergedBlock: requests(1, 0, 10),
  mergedBlocks: 8,
  blocks: 10,
  queries: { 'trace by id': { first: requests(0, 0, 30), again: requests(0, 0, 10) } },
};
const work: Workload = {
  spansPerSecond: 100,
  bytesPerSpan: 2 ** 30 / 1_000_000,
  tenants: 2,
  ingesters: 1,
  queriesPerDay: 1000,
  blocksPerQuery: 20,
  cachedShare: 0.5,
  retentionDays: 10,
  cutIntervalSeconds: 300,
  log: 'bucket',
  spansPerRequest: 50,
  putLatencyMs: 40,
};

const bill = (of: Partial<Workload> = {}) =>
  Object.fromEntries(monthlyCost({ ...work, ...of }, measured, S3_STANDARD).map((item) => [item.name, item]));

test('every line of the bill is its requests and bytes at their prices', () => {
  const { storage, log, cuts, compaction, queries, ...rest } = bill();
  // 86.4 million spans of a GiB a million.
  expect(storage?.gib).toBeCloseTo(86.4);
  expect(storage?.dollars).toBeCloseTo(86.4 * 0.023);
  // Two requests a second, each a segment.
  expect(log?.requests.put).toBeCloseTo(2 * 730 * 3600);
  expect(log?.dollars).toBeCloseTo((2 * 730 * 3600 * 0.005) / 1000);
  // Twelve blocks an hour of each of two tenants.
  expect(cuts?.requests).toEqual(requests(2 * 24 * 730, 0, 3 * 24 * 730));
  // Those, and what they are merged into, which is merged once more.
  expect(compaction?.requests.get).toBeCloseTo(10 * (24 * 730 + 2 * 730));
  // 20 of 10 blocks: twice as many as were measured, of the mean of cached and not.
  expect(queries?.requests.get).toBeCloseTo((1000 * 730 * 2 * 20) / 24);
  const [idle] = Object.values(rest);
  expect(idle?.requests).toEqual(requests(360 * 730, 100 * 730, 0));
});

test('a log on disk asks nothing of the bucket', () => {
  const { log, 'leases and looking around': idle } = bill({ log: 'disk' });
  expect([log?.dollars, idle?.requests.put]).toEqual([0, 0]);
});

test('a log has no more segments than a second has room for, and enough for its bytes', () => {
  const perSecond = (of: Partial<Workload>) => (bill(of).log?.requests.put as number) / (730 * 3600);
  expect(perSecond({ spansPerSecond: 10_000 })).toBeCloseTo(25);
  expect(perSecond({ spansPerSecond: 10_000, ingesters: 4 })).toBeCloseTo(100);
  expect(perSecond({ spansPerSecond: 10_000, putLatencyMs: 100 })).toBeCloseTo(10);
  expect(perSecond({ spansPerSecond: 1_000_000 })).toBeCloseTo((1_000_000 * 440) / 2 ** 23);
});

test('blocks are cut before their time where a generation is full', () => {
  const { cuts } = bill({ spansPerSecond: 10_000, tenants: 1 });
  expect(cuts?.requests.put).toBeCloseTo((2 * 730 * 3600) / 25);
});

test('what does nothing costs only its storage of nothing and its leases', () => {
  const items = monthlyCost({ ...work, spansPerSecond: 0, queriesPerDay: 0 }, measured, S3_STANDARD);
  expect(totalDollars(items.filter(({ name }) => name !== 'compaction'))).toBeCloseTo(
    ((360 * 0.005 + 100 * 0.005) * 730) / 1000,
  );
});
