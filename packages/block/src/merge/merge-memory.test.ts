import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@vivace/kernel';
import { afterAll, expect, test } from 'vitest';
import { type MergeCosts, type MergeFilesOptions, writeInputs } from '../testing/merge-files.ts';
import { createShop, type ShopOptions } from '../testing/shop-spans.ts';

// A merge takes memory for a row group, not for blocks: measured in a process of its own, with row groups of 4,000 spans.

const MB = 1e6;
const ROW_GROUP_ROWS = 4000;
const script = fileURLToPath(new URL('../testing/merge-files.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'vivace-merge-'));
afterAll(() => rmSync(directory, { recursive: true }));

type ScaledOptions = Pick<MergeFilesOptions, 'maxGroupBytes' | 'maxDictionaryBytes' | 'apartFailed'>;

function mergedCosts(spans: number, shop: ShopOptions, options: ScaledOptions = {}, flags: string[] = []): MergeCosts {
  const rowGroupRows = ROW_GROUP_ROWS;
  writeInputs(directory, createShop(seededRandom(5)).sets(spans, { sets: 6, ...shop }), { rowGroupRows });
  const given = JSON.stringify({ ...options, rowGroupRows, pageRows: 1000 });
  const output = execFileSync(process.execPath, ['--max-semi-space-size=2', ...flags, script, directory, '1', given]);
  return JSON.parse(output.toString()) as MergeCosts;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function takenMb({ peakBytes, idleBytes }: MergeCosts): number {
  return (peakBytes - idleBytes) / MB;
}

test('five times the spans take no more memory', { timeout: 240_000 }, () => {
  const few = mergedCosts(16_000, { splitOneIn: 20 });
  const many = mergedCosts(80_000, { splitOneIn: 20 });
  expect(many.rows).toBe(80_000);
  expect(takenMb(many)).toBeLessThan(60);
  expect(takenMb(many) - takenMb(few)).toBeLessThan(15);
  const pages = mergedCosts(80_000, { splitOneIn: 20 }, { maxGroupBytes: 0 });
  expect(takenMb(pages)).toBeLessThan(80);
});

test('nor does it where traces are judged, and some go to a block of their own', { timeout: 240_000 }, () => {
  const few = mergedCosts(16_000, { splitOneIn: 20 }, { apartFailed: true });
  const many = mergedCosts(80_000, { splitOneIn: 20 }, { apartFailed: true });
  expect([many.rows, many.blocks]).toEqual([80_000, 2]);
  expect(takenMb(many)).toBeLessThan(70);
  expect(takenMb(many) - takenMb(few)).toBeLessThan(15);
  const pages = mergedCosts(80_000, { splitOneIn: 20 }, { apartFailed: true, maxGroupBytes: 0 });
  expect(takenMb(pages)).toBeLessThan(80);
});

test('what lasts of a row group is what the index and the footer say of it', { timeout: 240_000 }, () => {
  // Dictionaries as many as stay from the first quarter on.
  const options = { maxDictionaryBytes: 256 * 1024 };
  const { lastingBytes } = mergedCosts(80_000, { splitOneIn: 20 }, options, ['--expose-gc']);
  const groups = lastingBytes.length;
  expect(groups).toBeGreaterThanOrEqual(80_000 / ROW_GROUP_ROWS);
  const quarter = Math.floor(groups / 4);
  const second = mean(lastingBytes.slice(quarter, 2 * quarter));
  const fourth = mean(lastingBytes.slice(groups - quarter));
  // Some 45 KB, most of them of 60 columns in the footer; of a row group of 131,072 spans 120 KB, half of them ids of traces.
  expect((fourth - second) / (groups - 2 * quarter)).toBeLessThan(80_000);
});

test('a trace of 25 row groups takes little more, and no span costs more to store', { timeout: 240_000 }, () => {
  const costs = mergedCosts(104_000, { giantSpans: 100_000, resentOneIn: 100 });
  expect(costs.rows).toBe(104_000);
  expect(costs.resends).toBeGreaterThan(500);
  expect(takenMb(costs)).toBeLessThan(90);
  expect(costs.bytes / costs.rows).toBeLessThanOrEqual(costs.inputBytes / costs.inputRows);
});

test('nor does it where it is judged first, and goes to another block than the traces around it', {
  timeout: 240_000,
}, () => {
  const costs = mergedCosts(104_000, { giantSpans: 100_000, resentOneIn: 100 }, { apartFailed: true });
  expect([costs.rows, costs.blocks]).toEqual([104_000, 2]);
  expect(takenMb(costs)).toBeLessThan(90);
});
