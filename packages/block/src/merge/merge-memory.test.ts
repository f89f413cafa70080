import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@vivace/kernel';
import { afterAll, expect, test } from 'vitest';
import { type MergeCosts, writeInputs } from '../testing/merge-files.ts';
import { createShop, type ShopOptions } from '../testing/shop-spans.ts';

// A merge takes memory for a row group, not for blocks: measured in a process of its own, with row groups of 4,000 spans.

const MB = 1e6;
const script = fileURLToPath(new URL('../testing/merge-files.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'vivace-merge-'));
afterAll(() => rmSync(directory, { recursive: true }));

function mergedCosts(spans: number, shop: ShopOptions, options: { maxGroupBytes?: number } = {}): MergeCosts {
  const rowGroupRows = 4000;
  writeInputs(directory, createShop(seededRandom(5)).sets(spans, { sets: 6, ...shop }), { rowGroupRows });
  const given = JSON.stringify({ ...options, rowGroupRows, pageRows: 1000 });
  const output = execFileSync(process.execPath, ['--max-semi-space-size=2', script, directory, '1', given]);
  return JSON.parse(output.toString()) as MergeCosts;
}

function takenMb({ peakBytes, idleBytes }: MergeCosts): number {
  return (peakBytes - idleBytes) / MB;
}

test('five times the spans take no more memory', { timeout: 240_000 }, () => {
  const few = mergedCosts(16_000, { splitOneIn: 20 });
  const many = mergedCosts(80_000, { splitOneIn: 20 });
  expect(many.rows).toBe(80_000);
  expect(takenMb(many)).toBeLessThan(80);
  expect(takenMb(many) - takenMb(few)).toBeLessThan(20);
  const pages = mergedCosts(80_000, { splitOneIn: 20 }, { maxGroupBytes: 0 });
  expect(takenMb(pages)).toBeLessThan(80);
});

test('a trace of 25 row groups takes little more, and no span costs more to store', { timeout: 240_000 }, () => {
  const costs = mergedCosts(104_000, { giantSpans: 100_000, resentOneIn: 100 });
  expect(costs.rows).toBe(104_000);
  expect(costs.resends).toBeGreaterThan(500);
  expect(takenMb(costs)).toBeLessThan(90);
  expect(costs.bytes / costs.rows).toBeLessThanOrEqual(costs.inputBytes / costs.inputRows);
});
