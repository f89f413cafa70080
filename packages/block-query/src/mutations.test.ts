import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MUTATIONS } from './testing/mutations.ts';

/** The rarest needs about a third of them. */
const SEEDS = 150;

const sources = import.meta.dirname;
const copy = mkdtempSync(path.join(tmpdir(), 'vivace-mutations-'));

beforeAll(() => {
  const isNeeded = (file: string) => !file.endsWith('.test.ts') && !file.endsWith('.bench.ts');
  cpSync(sources, path.join(copy, 'src'), { recursive: true, filter: isNeeded });
  cpSync(path.join(sources, '../package.json'), path.join(copy, 'package.json'));
  symlinkSync(path.join(sources, '../node_modules'), path.join(copy, 'node_modules'));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** What two evaluators of which one is mistaken answer differently: a line, or none. */
function difference(seeds: number): string {
  const main = path.join(copy, 'src/testing/find-difference-main.ts');
  return execFileSync(process.execPath, [main, String(seeds)], { encoding: 'utf8', timeout: 120_000 });
}

describe('comparing the evaluators', { timeout: 120_000 }, () => {
  test('finds nothing where nothing is wrong', () => {
    expect(difference(10)).toBe('');
  });

  test.each(Object.entries(MUTATIONS))('finds that %s', (_, { file, from, to }) => {
    const target = path.join(copy, 'src', file);
    const right = readFileSync(target, 'utf8');
    expect(right.split(from).length, `"${from}" occurs once in ${file}`).toBe(2);
    writeFileSync(target, right.replace(from, to));
    try {
      expect(difference(SEEDS)).toMatch(/^(different|failed after): seed/);
    } finally {
      writeFileSync(target, right);
    }
  });
});
