import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@vivace/kernel';
import { type MergeCosts, writeInputs } from '../testing/merge-files.ts';
import { createShop } from '../testing/shop-spans.ts';

/*
 * What merging costs: `node packages/block/src/merge/merge.bench.ts [spans of a block] [blocks] [spans of one trace]
 * [rounds] [rule]`. With `rule` traces are judged first, and those that failed go to a block of their own. Spans per CPU second, of the process with all its threads, and the memory it takes above what it had
 * before; in a process of its own, from files to files, with a young generation as small as compaction's thread has.
 */

const BLOCK_SPANS = Number(process.argv[2] ?? 125_000);
const BLOCKS = Number(process.argv[3] ?? 8);
const GIANT = Number(process.argv[4] ?? 0);
const ROUNDS = process.argv[5] ?? '3';
const OPTIONS = JSON.stringify({ apartFailed: process.argv[6] === 'rule' });

const script = fileURLToPath(new URL('../testing/merge-files.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'vivace-merge-'));
try {
  const sets = createShop(seededRandom(1)).sets(BLOCK_SPANS * BLOCKS, {
    sets: BLOCKS,
    splitOneIn: 30,
    resentOneIn: 200,
    giantSpans: GIANT,
  });
  const rows = sets.reduce((sum, { spanCount }) => sum + spanCount, 0);
  const encodeMs = writeInputs(directory, sets);
  console.log(`encodeBlock: ${(rows / encodeMs).toFixed(0)} thousand spans per CPU second, cold`);
  const args = ['--max-semi-space-size=4', ...process.execArgv, script, directory, ROUNDS, OPTIONS];
  for (const line of execFileSync(process.execPath, args).toString().trim().split('\n')) {
    const { cpuMs, wallMs, idleBytes, peakBytes, ...costs } = JSON.parse(line) as MergeCosts;
    console.log(
      [
        `${(costs.inputRows / cpuMs).toFixed(0)} thousand spans per CPU second`,
        `${(costs.inputRows / wallMs).toFixed(0)} thousand a second`,
        `${((peakBytes - idleBytes) / 1e6).toFixed(0)} MB above idle (${(idleBytes / 1e6).toFixed(0)})`,
        `${(costs.inputBytes / costs.inputRows).toFixed(2)} to ${(costs.bytes / costs.rows).toFixed(2)} bytes a span`,
        `${costs.resends} resends of ${costs.inputRows}`,
      ].join(', '),
    );
  }
} finally {
  rmSync(directory, { recursive: true });
}
