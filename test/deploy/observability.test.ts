import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { encodePlainSpans } from '../harness/plain-spans.ts';
import { s3Env } from '../harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';
import { flush, sendBytes } from '../harness/traces-client.ts';
import { type Exposition, readExposition } from './exposition.ts';
import { RULES_SCHEMA } from './operator-schemas.ts';
import { namesOf } from './promql.ts';
import { readText } from './read-text.ts';
import { CHART } from './render-chart.ts';

// Alerts and dashboards ask only for what running processes show: processes of every target are started and asked.

interface Rule {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}
interface Dashboard {
  uid: string;
  panels: { title: string; targets?: { expr: string }[]; gridPos: { x: number; y: number; w: number; h: number } }[];
}

const rulesFile = path.join(CHART, 'rules/vivace.yaml');
const rules = (parse(readText(rulesFile)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const dashboards = readdirSync(path.join(CHART, 'dashboards')).map((file) => ({
  file,
  board: JSON.parse(readText(path.join(CHART, 'dashboards', file))) as Dashboard,
}));
/** Every query there is, as Prometheus gets it. */
const queries = [
  ...rules.map(({ alert, expr }) => ({ where: alert, query: expr })),
  ...dashboards.flatMap(({ file, board }) =>
    board.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${file}: ${title}`, query: expr.replaceAll('$__rate_interval', '5m') })),
    ),
  ),
];

/** What Prometheus itself adds. */
const OF_PROMETHEUS = new Set(['job', 'instance', 'le']);
const directory = temporaryDirectory();
const seen: Exposition = { names: new Set(['up']), labels: new Map() };
const targets = new Set<string>();
const servers: TestServer[] = [];
let bucket: S3Target;

beforeAll(async () => {
  bucket = await startS3Target();
  const env = s3Env(bucket, { endpoint: bucket.endpoint, prefix: 'observed' });
  const overrides = path.join(directory.path, 'overrides.yaml');
  writeFileSync(overrides, 'overrides:\n  a: { retention: 48h }\n');
  const start = async (target: string, more: Record<string, string> = {}) => {
    const dataDir = path.join(directory.path, target);
    const flags = ['--target', target];
    const server = await startServer({
      dataDir,
      flags,
      env: { ...env, VIVACE_INGESTER_INSTANCE_NAME: target, ...more },
    });
    servers.push(server);
    return server;
  };
  const all = await start('all', {
    VIVACE_OVERRIDES_PER_TENANT_OVERRIDE_CONFIG: overrides,
    VIVACE_STORAGE_TRACE_S3_PREFIX: 'alone',
    VIVACE_QUERIER_DISK_CACHE_PATH: path.join(directory.path, 'cache'),
    // Every read takes so long.
    VIVACE_STORAGE_TRACE_S3_HEDGE_REQUESTS_AT: '1ms',
  });
  await use(all);
  await start('ingester')
    .then((ingester) => start('distributor', { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.grpc }))
    .then((distributor) => sendBytes(distributor, spans()));
  const ingester = servers.find(({ otlpHttp, grpc }) => otlpHttp === '' && grpc !== '') as TestServer;
  const querier = await start('querier', { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.grpc });
  const frontend = await start('query-frontend', { VIVACE_QUERIER_CLIENT_ADDRESSES: querier.grpc });
  const answer = await fetch(`${frontend.http}/api/search?q=${encodeURIComponent('{}')}`);
  expect(answer.status, await answer.text()).toBe(200);
  await start('compactor');
  for (const server of servers) readExposition(await (await fetch(`${server.http}/metrics`)).text(), seen);
  for (const target of seen.labels.get('vivace_build_info')?.get('target') ?? []) targets.add(target);
}, 180_000);

afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  await bucket.close();
  directory.remove();
});

function spans(): Uint8Array {
  return encodePlainSpans([{ trace: 'a1', span: 'b1', startMs: Date.now() - 5000 }]);
}

/** Has a process do some of everything, so that there is something to count. */
async function use(server: TestServer): Promise<void> {
  await sendBytes(server, spans());
  const body = new Uint8Array([10, 5, 1]);
  const broken = { method: 'POST', headers: { 'content-type': 'application/x-protobuf' }, body };
  expect((await fetch(`${server.otlpHttp}/v1/traces`, broken)).status).toBe(400);
  await flush(server);
  const trace = `/api/v2/traces/${'a1'.padStart(32, '0')}`;
  for (const asked of [
    trace,
    '/api/search?q={}',
    '/api/metrics/query_range?q={}|rate()&step=10',
    '/api/v2/search/tags',
  ]) {
    const answer = await fetch(`${server.http}${encodeURI(asked)}`);
    expect(answer.status, `${asked}: ${await answer.text()}`).toBe(200);
  }
}

test('processes of every target that runs by itself were asked', () => {
  expect([...targets].sort()).toEqual(['all', 'compactor', 'distributor', 'ingester', 'querier', 'query-frontend']);
});

test('every query is PromQL', () => {
  expect(queries.length).toBeGreaterThan(40);
  for (const { where, query } of queries) expect(namesOf(query).errors, `${where}: ${query}`).toEqual([]);
  expect(namesOf('sum by (job) (rate(a[5m])').errors).not.toEqual([]);
});

test('every metric that is asked for exists, with the labels that it is asked by', () => {
  const wrong: string[] = [];
  for (const { where, query } of queries) {
    const { metrics, matched, grouped } = namesOf(query);
    const labelsOf = (metric: string) => new Set(seen.labels.get(metric)?.keys() ?? []);
    for (const metric of metrics) if (!seen.names.has(metric)) wrong.push(`${where}: no metric ${metric}`);
    for (const { metric, label } of matched) {
      if (!OF_PROMETHEUS.has(label) && !labelsOf(metric).has(label)) wrong.push(`${where}: ${metric} has no ${label}`);
    }
    for (const label of grouped) {
      const isKnown = OF_PROMETHEUS.has(label) || [...metrics].some((metric) => labelsOf(metric).has(label));
      if (!isKnown) wrong.push(`${where}: nothing in it has ${label}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('budgets that are asked for are budgets, and every budget has a limit', () => {
  const used = seen.labels.get('vivace_budget_used_bytes')?.get('budget');
  expect(seen.labels.get('vivace_budget_limit_bytes')?.get('budget')).toEqual(used);
  for (const { where, query } of queries) {
    for (const { label, value } of namesOf(query).matched.filter((one) => one.label === 'budget')) {
      for (const name of value.split('|')) expect(used?.has(name), `${where}: ${label} ${name}`).toBe(true);
    }
  }
});

test('queries of the disk cache and of reads that are sent once more ask for what is counted there', () => {
  const valuesOf = (metric: string, label: string) => seen.labels.get(metric)?.get(label) ?? new Set();
  expect(valuesOf('vivace_object_store_hedged_reads_total', 'outcome')).toContain('denied');
  const asked = new Set<string>();
  for (const { where, query } of queries) {
    for (const { metric, label, value } of namesOf(query).matched) {
      if (!/^vivace_(disk_cache|object_store_hedged)/.test(metric) || label === 'job') continue;
      for (const name of value.split('|'))
        expect(valuesOf(metric, label), `${where}: ${label} ${name}`).toContain(name);
    }
    for (const metric of namesOf(query).metrics) asked.add(metric);
  }
  for (const metric of seen.names) {
    if (/^vivace_(disk_cache|object_store_hedged)/.test(metric)) expect(asked, metric).toContain(metric);
  }
});

test('rules are what Prometheus reads, and each is explained in docs/operations.md', () => {
  const ajv = new Ajv({ allErrors: true });
  expect(ajv.validate(RULES_SCHEMA, parse(readText(rulesFile))), ajv.errorsText()).toBe(true);
  const operations = readText(path.resolve(CHART, '../../docs/operations.md'));
  const alerts = rules.map(({ alert }) => alert);
  expect(new Set(alerts).size).toBe(alerts.length);
  const explained = [...operations.matchAll(/^\| `(Vivace\w+)`/gm)].map((row) => row[1] as string);
  expect(explained.sort()).toEqual(alerts.sort());
});

test('an annotation names only labels that the alert has left', () => {
  for (const { alert, expr, annotations } of rules) {
    const { metrics, grouped } = namesOf(expr);
    const isAggregated = /\b(sum|max|min|count|avg) by\b/.test(expr);
    for (const [, label] of Object.values(annotations)
      .join(' ')
      .matchAll(/\$labels\.(\w+)/g)) {
      const own = [...metrics].some((metric) => seen.labels.get(metric)?.has(label as string) === true);
      const isLeft = isAggregated ? grouped.has(label as string) : OF_PROMETHEUS.has(label as string) || own;
      expect(isLeft, `${alert}: ${label}`).toBe(true);
    }
  }
});

test('panels of a dashboard lie beside each other, and no two dashboards are one', () => {
  expect(new Set(dashboards.map(({ board }) => board.uid)).size).toBe(dashboards.length);
  for (const { file, board } of dashboards) {
    for (const [i, { gridPos: a }] of board.panels.entries()) {
      expect(a.x + a.w, file).toBeLessThanOrEqual(24);
      for (const { gridPos: b } of board.panels.slice(i + 1)) {
        expect(a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h, file).toBe(false);
      }
    }
  }
});
