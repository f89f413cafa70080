// `npm run fuzz -- [--target otlp-proto] [--seconds 600] [--seed 1]`: hostile bytes for every parser of outside
// bytes. An input that fails is made smaller and kept in a file; `--seed N --input I` tries the same one again,
// `--replay FILE` what is in a file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { systemRandom } from '@vivace/kernel';
import type { Failure } from './fuzz-task.ts';
import { fuzz } from './fuzzing.ts';
import { TARGETS } from './targets.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', default: 'all' },
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string' },
      input: { type: 'string' },
      replay: { type: 'string' },
    },
  });
  const names = values.target === 'all' ? [...TARGETS.keys()] : values.target.split(',');
  const unknown = names.find((name) => !TARGETS.has(name));
  if (unknown !== undefined) {
    process.stderr.write(`no target ${unknown}: there are ${[...TARGETS.keys()].join(', ')} and all\n`);
    return 2;
  }
  const seed = values.seed === undefined ? systemRandom.u32() : Number(values.seed);
  if (values.replay !== undefined) return replay(names[0] as string, seed, values.replay);
  const only = values.input === undefined ? {} : { firstInput: Number(values.input), inputs: 1 };
  let failures = 0;
  for (const target of names) {
    process.stdout.write(`${target}: seed ${seed}\n`);
    const report = await fuzz({ target, seed, seconds: Number(values.seconds), ...only, onFailure: show });
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
