import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ColumnSetView } from '@vivace/columns';
import { freeMemory } from '@vivace/kernel';
import { encodeBlock } from '../encode-block.ts';
import type { SectionName } from '../layout.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import type { MergeInput, MergeOptions } from '../merge/merge-options.ts';
import { readTraces } from '../merge/read-traces.ts';
import type { BlockPlace } from '../open-block.ts';
import { blockOrder, storeBlock } from '../testing.ts';

// Blocks in files, merged in a process of its own, which tells what it took:
// `node merge-files.ts directory rounds options` prints a line of JSON a round. With `--expose-gc` it collects garbage after
// every row group, and tells what lasts.

/** What a merge took. */
export interface MergeCosts {
  cpuMs: number;
  wallMs: number;
  /** Resident size before the first merge, and the largest so far. */
  idleBytes: number;
  peakBytes: number;
  /** Objects and arrays after each row group of the output, without garbage. */
  lastingBytes: number[];
  inputRows: number;
  inputBytes: number;
  rows: number;
  bytes: number;
  resends: number;
  blocks: number;
}

/** Options of the merge. */
export interface MergeFilesOptions extends Omit<MergeOptions, 'inputs' | 'sink' | 'route' | 'outputs'> {
  /** Traces with a span that failed go to a block of their own, as by a rule of compaction. */
  apartFailed?: boolean;
}

interface InputFile {
  place: BlockPlace;
  bytes: number;
}

/** Writes a block of each set. Returns the milliseconds of processor that encoding took. */
export function writeInputs(
  directory: string,
  sets: Iterable<ColumnSetView>,
  options: { rowGroupRows?: number } = {},
): number {
  const inputs: InputFile[] = [];
  let cpu = 0;
  for (const set of sets) {
    const order = blockOrder(set);
    const before = process.cpuUsage();
    const encoded = encodeBlock(set, order, options);
    cpu += cpuMsSince(before);
    const { place, objects } = storeBlock(encoded, Number.POSITIVE_INFINITY);
    const bytes = objects.get('block') as Uint8Array;
    writeFileSync(join(directory, `${inputs.length}`), bytes);
    inputs.push({ place: { ...place, id: `block-${inputs.length}` }, bytes: bytes.length });
  }
  writeFileSync(join(directory, 'inputs.json'), JSON.stringify(inputs));
  return cpu;
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function lasting(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function mergeFiles(
  directory: string,
  idleBytes: number,
  { apartFailed = false, ...options }: MergeFilesOptions,
): Promise<MergeCosts> {
  const inputs = JSON.parse(readFileSync(join(directory, 'inputs.json')).toString()) as InputFile[];
  const files = inputs.map((_, i) => openSync(join(directory, `${i}`), 'r'));
  const outputs = new Map<string, number>();
  const before = process.cpuUsage();
  const began = performance.now();
  let bytes = 0;
  let last: SectionName | undefined;
  const lastingBytes: number[] = [];
  const blocks = inputs.map(({ place }, i): MergeInput => {
    const readRange: MergeInput['readRange'] = async (_, offset, length) => {
      const read = new Uint8Array(length);
      readSync(files[i] as number, read, 0, length, offset);
      return read;
    };
    return { place, readRange };
  });
  const failed = apartFailed ? await failedTraces(blocks, options) : undefined;
  const result = await mergeBlocks({
    ...options,
    ...(failed !== undefined && { outputs: 2, route: (_: Uint8Array, number: number) => failed[number] as number }),
    inputs: blocks,
    sink: (block, section, part) => {
      const name = `out-${block}-${section}`;
      const file = outputs.get(name) ?? openSync(join(directory, name), 'w');
      outputs.set(name, file);
      writeSync(file, part);
      bytes += part.length;
      if (globalThis.gc && last === 'spans' && section !== 'spans') lastingBytes.push(lasting());
      last = section;
      // As the compactor's thread, which hands them to another.
      freeMemory(part);
    },
  });
  for (const file of [...outputs.values(), ...files]) closeSync(file);
  return {
    cpuMs: cpuMsSince(before),
    wallMs: performance.now() - began,
    idleBytes,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    lastingBytes,
    inputRows: result.inputRows,
    inputBytes: inputs.reduce((sum, input) => sum + input.bytes, 0),
    rows: result.blocks.reduce((sum, block) => sum + block.rows, 0),
    bytes,
    resends: result.resends,
    blocks: result.blocks.length,
  };
}

/** 1 for every trace with a span that failed. */
async function failedTraces(inputs: readonly MergeInput[], { rowGroupRows }: MergeFilesOptions): Promise<number[]> {
  const failed: number[] = [];
  const none = new Set<never>();
  const needs = [{ fields: new Set(['status'] as const), keys: none, eventFields: none, eventKeys: none }];
  const setRows = rowGroupRows === undefined ? {} : { setRows: rowGroupRows };
  await readTraces({ inputs, needs, ...setRows }, async ({ first, count, set, traceFirst }) => {
    for (let t = 0; t < count; t++) {
      const own = set?.status.subarray(traceFirst[t], traceFirst[t + 1]);
      failed[first + t] = own?.includes(2) === true || failed[first + t] === 1 ? 1 : 0;
    }
  });
  return failed;
}

if (import.meta.main) {
  const [directory = '.', rounds = '1', options = '{}'] = process.argv.slice(2);
  const idle = process.memoryUsage.rss();
  for (let round = 0; round < Number(rounds); round++) {
    const costs = await mergeFiles(directory, idle, JSON.parse(options) as MergeFilesOptions);
    process.stdout.write(`${JSON.stringify(costs)}\n`);
  }
}
