import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderDocumentation, renderFlagHelp } from './documentation.ts';
import { keys } from './keys.ts';

test('docs/config.md is what the schema says; npm run docs writes it', () => {
  const written = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8');
  expect(written).toBe(renderDocumentation());
});

test('every setting says what it is and why its default is what it is, in sentences', () => {
  for (const key of keys.values()) {
    expect(key.about, key.path).toMatch(/^.{10,}\.$/);
    expect(key.why, key.path).toMatch(/^.{10,}\.$/);
  }
  expect(keys.size).toBeGreaterThan(30);
});

test('the help has one line a flag', () => {
  expect(renderFlagHelp()).toHaveLength(8);
  expect(renderFlagHelp()[0]).toMatch(/^ {2}--data-dir DIR +everything on disk/);
});
