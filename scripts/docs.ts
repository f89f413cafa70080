// Writes the documents that are made from code. Tests fail when one is not current.
import { writeFileSync } from 'node:fs';
import { renderDocumentation } from '../packages/config/src/index.ts';
import { renderCliDocument } from '../packages/vivace/src/cli/cli-document.ts';
import { renderDashboards } from './dashboards.ts';
import { renderErrorDocument } from './error-document.ts';

writeFileSync(new URL('../docs/config.md', import.meta.url), renderDocumentation());
writeFileSync(new URL('../docs/cli.md', import.meta.url), renderCliDocument());
writeFileSync(new URL('../docs/errors.md', import.meta.url), renderErrorDocument());
for (const { file, text } of renderDashboards()) {
  writeFileSync(new URL(`../helm/vivace/dashboards/${file}`, import.meta.url), text);
}
