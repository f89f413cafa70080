import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { renderDashboards } from './dashboards.ts';
import { ROOT, readText } from './source-tree.ts';

test('the dashboards of the chart are those of scripts/dashboards.ts: npm run docs', () => {
  const directory = 'helm/vivace/dashboards';
  const rendered = renderDashboards();
  expect(readdirSync(path.join(ROOT, directory)).sort()).toEqual(rendered.map(({ file }) => file).sort());
  for (const { file, text } of rendered) expect(readText(`${directory}/${file}`)).toBe(text);
});
