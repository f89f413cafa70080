import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@vivace/kernel';
import { encodeBlock } from '../encode-block.ts';
import type { BlockPlace } from '../open-block.ts';
import { createShop } from '../testing/shop-spans.ts';
import { blockOrder, storeBlock } from '../testing.ts';
import { mergeBlocks } from './merge-blocks.ts';

/*
 * What merging costs: `node packages/block/src/merge/merge.bench.ts [spans of a block] [blocks] [spans of one trace]
 * [rounds]`. Spans per CPU second, of the process with all its threads, and the memory it takes above what it had
 * before; in a process of its own, from files to files.
 */

const BLOCK_SPANS = Number(process.argv[2] ?? 125_000);
const BLOCKS = Number(process.argv[3] ?? 8);
const GIANT = Number(process.argv[4] ?? 0);
const ROUNDS = Number(process.argv[5] ?? 3);

interface StoredInput {
  place: BlockPlace;
  rows: number;
  bytes: number;
}

function prepare(directory: string): void {
  const sets = createShop(seededRandom(1)).sets(BLOCK_SPANS * BLOCKS, {
    sets: BLOCKS,
    splitOneIn: 30,
    resentOneIn: 200,
    giantSpans: GIANT,
  });
  const inputs: StoredInput[] = [];
  let cpu = 0;
  for (const [i, set] of sets.entries()) {
    const order = blockOrder(set);
    const before = process.cpuUsage();
    const encoded = encodeBlock(set, order);
    const used = process.cpuUsage(before);
    cpu += used.user + used.system;
    const store = storeBlock(encoded, Number.POSITIVE_INFINITY);
    const bytes = store.objects.get('block') as Uint8Array;
    writeFileSync(join(directory, `${i}`), bytes);
    inputs.push({ place: { ...store.place, id: `block-${i}` }, rows: order.length, bytes: bytes.length });
  }
  writeFileSync(join(directory, 'inputs.json'), JSON.stringify(inputs));
  const rows = inputs.reduce((sum, input) => sum + input.rows, 0);
  console.log(`encodeBlock: ${((rows / cpu) * 1e3).toFixed(0)} thousand spans per CPU second (first round)`);
}

async function measure(directory: string): Promise<void> {
  const inputs = JSON.parse(readFileSync(join(directory, 'inputs.json')).toString()) as StoredInput[];
  const idle = residentBytes();
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    const began = performance.now();
    const outputs = new Map<string, number>();
    const files = inputs.map((_, i) => openSync(join(directory, `${i}`), 'r'));
    let written = 0;
    const result = await mergeBlocks({
      inputs: inputs.map(({ place }, i) => ({
        place,
        readRange: async (_, offset, length) => {
          const bytes = new Uint8Array(length);
          readSync(files[i] as number, bytes, 0, length, offset);
          return bytes;
        },
      })),
      sink: (block, section, bytes) => {
        const name = `out-${block}-${section}`;
        let file = outputs.get(name);
        if (file === undefined) outputs.set(name, (file = openSync(join(directory, name), 'w')));
        writeSync(file, bytes);
        written += bytes.length;
      },
    });
    for (const file of [...outputs.values(), ...files]) closeSync(file);
    const used = process.cpuUsage(before);
    const stored = inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    const rows = result.blocks.reduce((sum, block) => sum + block.rows, 0);
    console.log(
      [
        `${((result.inputRows / (used.user + used.system)) * 1e3).toFixed(0)} thousand spans per CPU second`,
        `${(result.inputRows / (performance.now() - began)).toFixed(0)} thousand a second`,
        `${((peakBytes() - idle) / 1e6).toFixed(0)} MB above idle (${(idle / 1e6).toFixed(0)})`,
        `${(stored / result.inputRows).toFixed(2)} to ${(written / rows).toFixed(2)} bytes a span`,
        `${result.resends} resends of ${result.inputRows}`,
      ].join(', '),
    );
  }
}

function residentBytes(): number {
  return process.memoryUsage.rss();
}

/** The largest resident size this process had. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

const given = process.env['MERGE_BENCH_DIRECTORY'];
if (given !== undefined) await measure(given);
else {
  const directory = mkdtempSync(join(tmpdir(), 'vivace-merge-'));
  try {
    prepare(directory);
    const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    execFileSync(process.execPath, args, {
      stdio: 'inherit',
      env: { ...process.env, MERGE_BENCH_DIRECTORY: directory },
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
