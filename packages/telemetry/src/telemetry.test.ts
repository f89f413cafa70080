import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { Seldom } from './seldom.ts';

function capture(options: { format: 'auto' | 'json' | 'text'; isTTY?: boolean; level?: 'debug' | 'info' }) {
  let text = '';
  const stream = { isTTY: options.isTTY ?? false, write: (part: string) => void (text += part) };
  const logger = createLogger({ level: options.level ?? 'info', format: options.format, stream });
  return { logger, text: () => text };
}

test('logs are JSON with a level name and an ISO time where no terminal reads them', () => {
  const { logger, text } = capture({ format: 'auto' });
  logger.info({ tenant: 'a' }, 'block cut');
  const line = JSON.parse(text()) as Record<string, unknown>;
  expect(line).toMatchObject({ level: 'info', tenant: 'a', msg: 'block cut' });
  expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Object.keys(line)).not.toContain('pid');
});

test('logs on a terminal are one readable line with the stack of an error below', () => {
  const { logger, text } = capture({ format: 'auto', isTTY: true });
  logger.warn({ tenant: 'a', blocks: 2, err: new Error('disk full') }, 'cut failed');
  const [first, second, third] = text().split('\n');
  expect(first).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}cut failed tenant=a blocks=2$/);
  expect(second).toBe('  Error: disk full');
  expect(third).toMatch(/^ +at /);
});

test('the format can be forced and the level cuts', () => {
  const json = capture({ format: 'json', isTTY: true });
  json.logger.info('x');
  expect(() => JSON.parse(json.text()) as unknown).not.toThrow();
  const text = capture({ format: 'text' });
  text.logger.debug('not this');
  text.logger.info('this');
  expect(text.text()).toMatch(/INFO {2}this\n$/);
  expect(text.text()).not.toContain('not this');
});

test('two registries in one process do not share metrics, and one page shows counters, gauges and histograms', async () => {
  const a = createMetrics();
  const b = createMetrics();
  a.counter({ name: 'vivace_spans_total', help: 'spans', labels: ['outcome'] }).inc({ outcome: 'stored' }, 3);
  b.counter({ name: 'vivace_spans_total', help: 'spans', labels: ['outcome'] }).inc({ outcome: 'stored' }, 4);
  let bytes = 5;
  a.gauge({ name: 'vivace_head_bytes', help: 'bytes', collect: () => bytes });
  a.histogram({ name: 'vivace_query_seconds', help: 'time' }).observe(0.002);
  bytes = 7;
  const page = await a.render();
  expect(page.contentType).toContain('text/plain');
  expect(page.body).toContain('vivace_spans_total{outcome="stored"} 3');
  expect(page.body).toContain('vivace_head_bytes 7');
  expect(page.body).toContain('vivace_query_seconds_bucket{le="0.0025"} 1');
  expect(page.body).toContain('vivace_query_seconds_bucket{le="0.001"} 0');
});

test('what others count is read when the page is asked for, by its labels', async () => {
  const metrics = createMetrics();
  let hits = 2;
  metrics.counter<'outcome'>({
    name: 'vivace_hits_total',
    help: 'hits',
    labels: ['outcome'],
    collect: (set) => set({ outcome: 'hit' }, hits),
  });
  metrics.gauge<'part'>({
    name: 'vivace_used_bytes',
    help: 'b',
    labels: ['part'],
    collect: (set) => set({ part: 'a' }, 9),
  });
  expect((await metrics.render()).body).toContain('vivace_hits_total{outcome="hit"} 2');
  hits = 5;
  const { body } = await metrics.render();
  expect(body).toContain('vivace_hits_total{outcome="hit"} 5');
  expect(body).toContain('vivace_used_bytes{part="a"} 9');
});

test('process metrics come only when asked for', async () => {
  const page = await createMetrics({ processMetrics: true }).render();
  expect(page.body).toContain('process_resident_memory_bytes');
  expect(page.body).toContain('nodejs_eventloop_lag');
  expect((await createMetrics().render()).body.trim()).toBe('');
});

test('what is met again and again is told once a minute, however many things there are', () => {
  let nowMs = 5;
  const seldom = new Seldom({ monotonicMs: () => nowMs });
  expect([seldom.isDue('a'), seldom.isDue('a'), seldom.isDue('b')]).toEqual([true, false, true]);
  nowMs += 59_999;
  expect(seldom.isDue('a')).toBe(false);
  nowMs += 1;
  expect([seldom.isDue('a'), seldom.isDue('a')]).toEqual([true, false]);
  // More than are remembered: then the first is told once more, and nothing grows.
  for (let i = 0; i < 1000; i++) seldom.isDue(`c${i}`);
  expect(seldom.isDue('a')).toBe(true);
});
