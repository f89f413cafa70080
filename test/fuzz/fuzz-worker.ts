import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { type Random, seededRandom } from '@vivace/kernel';
import type { FuzzTarget } from './fuzz-target.ts';
import type { Failure, FuzzTask, WorkerMessage } from './fuzz-task.ts';
import { minimise } from './minimise.ts';
import { selfTestTarget } from './targets/self-test.ts';
import { TARGETS } from './targets.ts';

// Tries inputs of one target one after another. It tells before each one which it is, in shared memory: an input
// that never ends is then known to the thread that waits.

/** CPU time of one input, in milliseconds. */
const MAX_INPUT_MS = 1000;
const SPARE_BYTES = 64 * 1024 * 1024;
/** Different failures after which the target is given up. */
const MAX_FAILURES = 20;

const { target: name, seed, seconds, firstInput, inputs, progress } = workerData as FuzzTask;
const place = new Float64Array(progress);
const send = (message: WorkerMessage) => parentPort?.postMessage(message);

const create = name === 'self-test' ? selfTestTarget : TARGETS.get(name);
if (create === undefined) throw new Error(`no target ${name}`);
const target = await create(seed);
await run(target);

async function run(fuzzed: FuzzTarget): Promise<void> {
  const known = new Set<string>();
  const begin = performance.now();
  let number = firstInput;
  for (; number < firstInput + inputs && performance.now() - begin < seconds * 1000; number++) {
    place[0] = number;
    const input = fuzzed.make(inputRandom(seed, number), number);
    const failure = await tryInput(fuzzed, input);
    if (failure === undefined || known.has(failure.signature)) continue;
    known.add(failure.signature);
    const same = async (candidate: Uint8Array) => (await tryInput(fuzzed, candidate))?.signature === failure.signature;
    const smaller = failure.slow ? input : await minimise(input, fuzzed.keepBytes, same);
    send({ kind: 'failure', failure: { ...failure, target: name, seed, input: number, bytes: smaller } });
    if (known.size === MAX_FAILURES) break;
  }
  send({ kind: 'done', inputs: number - firstInput, seconds: (performance.now() - begin) / 1000 });
}

/** Each input has numbers of its own, so that one can be made without those before it. */
function inputRandom(first: number, second: number): Random {
  return seededRandom(Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 1, 0x85ebca6b));
}

interface Found extends Pick<Failure, 'message' | 'stack'> {
  signature: string;
  slow: boolean;
}

async function tryInput(fuzzed: FuzzTarget, input: Uint8Array): Promise<Found | undefined> {
  const bytesBefore = process.memoryUsage().arrayBuffers;
  const cpuBefore = process.threadCpuUsage();
  try {
    await fuzzed.check(input);
  } catch (error) {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    const frame = /\n\s+at (.*)/.exec(stack)?.[1] ?? '';
    const code = (error as { code?: string }).code ?? '';
    const signature = `${code} ${message.slice(0, 60).replaceAll(/\d+/g, 'N')} ${frame}`;
    return { signature, message, stack, slow: false };
  }
  const { user, system } = process.threadCpuUsage(cpuBefore);
  const ms = (user + system) / 1000;
  if (ms > MAX_INPUT_MS) return limit('slow', `the input took ${Math.round(ms)} ms`);
  const grown = process.memoryUsage().arrayBuffers - bytesBefore;
  if (grown > (fuzzed.spareBytes ?? SPARE_BYTES) + 128 * input.length) {
    return limit('large', `the input of ${input.length} bytes took ${grown} bytes of memory`);
  }
  return undefined;
}

function limit(signature: string, message: string): Found {
  return { signature, message, stack: '', slow: signature === 'slow' };
}
