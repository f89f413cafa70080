// Writes the documents that are made from code. Tests beside that code fail when one is not current.
import { writeFileSync } from 'node:fs';
import { renderDocumentation } from '../packages/config/src/index.ts';

writeFileSync(new URL('../docs/config.md', import.meta.url), renderDocumentation());
