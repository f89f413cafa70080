// Hostile bytes for every parser of outside bytes. An input that fails is made smaller and kept in a file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemRandom } from '@vivace/kernel';
import { readFlags, refuse } from '../harness/flags.ts';
import type { Failure } from './fuzz-task.ts';
import { fuzz } from './fuzzing.ts';
import { TARGETS } from './targets.ts';

const USAGE = `usage: npm run fuzz -- [flags]

  --target NAMES   all, or some of ${[...TARGETS.keys()].join(', ')}
  --seconds N      for each target (600)
  --seed N         (a new one)
  --input N        tries one input of a seed again
  --replay FILE    tries what is in a file again, with one target
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const flags = readFlags(USAGE, {
    target: 'all',
    seconds: 600,
    seed: systemRandom.u32(),
    input: -1,
    replay: undefined as string | undefined,
  });
  const { seed, seconds, input } = flags;
  const names = flags.target === 'all' ? [...TARGETS.keys()] : flags.target.split(',');
  const unknown = names.find((name) => !TARGETS.has(name));
  if (unknown !== undefined) refuse(`no target ${unknown}`, USAGE);
  if (flags.replay !== undefined) return replay(names[0] as string, seed, flags.replay);
  const only = input < 0 ? {} : { firstInput: input, inputs: 1 };
  let failures = 0;
  for (const target of names) {
    process.stdout.write(`${target}: seed ${seed}\n`);
    const report = await fuzz({ target, seed, seconds, ...only, onFailure: show });
    failures += report.failures.length;
    const minutes = (report.seconds / 60).toFixed(1);
    process.stdout.write(`${target}: ${report.inputs} inputs in ${minutes} min, ${report.failures.length} failures\n`);
  }
  return failures === 0 ? 0 : 1;
}

function show({ target, seed, input, message, stack, bytes }: Failure): void {
  process.stdout.write(`\nFAILED ${target} --seed ${seed} --input ${input}\n${stack === '' ? message : stack}\n`);
  if (bytes === undefined) return;
  const directory = path.join(tmpdir(), 'vivace-fuzz');
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, `${target}-${seed}-${input}.bin`);
  writeFileSync(file, bytes);
  const hex = Buffer.from(bytes.subarray(0, 200)).toString('hex');
  process.stdout.write(`${bytes.length} bytes in ${file}: ${hex}${bytes.length > 200 ? '…' : ''}\n\n`);
}

async function replay(name: string, seed: number, file: string): Promise<number> {
  const target = await TARGETS.get(name)?.(seed);
  await target?.check(new Uint8Array(readFileSync(file)));
  process.stdout.write(`${name}: ${file} is fine\n`);
  return 0;
}
