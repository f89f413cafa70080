import { Worker } from 'node:worker_threads';
import { keepWasmCallsGeneric, systemClock } from '@vivace/kernel';
import type { Failure, FuzzTask, WorkerMessage } from './fuzz-task.ts';

export interface FuzzReport {
  target: string;
  seed: number;
  inputs: number;
  seconds: number;
  failures: Failure[];
}

export interface FuzzOptions {
  target: string;
  seed: number;
  seconds: number;
  /** Try only these. Default: from 0 until the time is over. */
  firstInput?: number;
  inputs?: number;
  onFailure?: (failure: Failure) => void;
  /** An input that takes longer hangs. Default 60 s: a busy machine is no fault of the input. */
  hangMs?: number;
}

/** Tries inputs of one target in a worker thread until the time is over; after a hang, in another one. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { target, seed, seconds, onFailure = () => {}, hangMs = 60_000 } = options;
  const report: FuzzReport = { target, seed, inputs: 0, seconds: 0, failures: [] };
  const fail = (failure: Failure) => {
    report.failures.push(failure);
    onFailure(failure);
  };
  let firstInput = options.firstInput ?? 0;
  const end = firstInput + (options.inputs ?? Number.MAX_SAFE_INTEGER);
  while (report.seconds < seconds && firstInput < end) {
    const left = seconds - report.seconds;
    const begin = systemClock.monotonicMs();
    const task = { target, seed, seconds: left, firstInput, inputs: end - firstInput };
    const { inputs, hung, reason } = await runWorker(task, hangMs, fail);
    report.seconds += (systemClock.monotonicMs() - begin) / 1000;
    report.inputs += inputs;
    if (hung === undefined) return report;
    const message = `the input hangs, or ends its thread: ${reason}`;
    fail({ target, seed, input: hung, message, stack: '', bytes: undefined });
    firstInput = hung + 1;
  }
  return report;
}

interface Outcome {
  inputs: number;
  /** The last one, if it did not end. */
  hung: number | undefined;
  reason: string;
}

function runWorker(
  task: Omit<FuzzTask, 'progress'>,
  hangMs: number,
  fail: (failure: Failure) => void,
): Promise<Outcome> {
  const progress = new SharedArrayBuffer(8);
  const place = new Float64Array(progress);
  place[0] = -1;
  const module = new URL('./fuzz-worker.ts', import.meta.url);
  keepWasmCallsGeneric();
  const worker = new Worker(module, {
    workerData: { ...task, progress },
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  return new Promise((resolve, reject) => {
    let last = -1;
    let lastMs = systemClock.monotonicMs();
    const settle = (outcome: Outcome | Error) => {
      clearInterval(watchdog);
      void worker.terminate().then(() => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
    };
    const hung = (reason: string) => {
      const input = place[0] as number;
      if (input < 0) settle(new Error(`the target ${task.target} cannot be made: ${reason}`));
      else settle({ inputs: input - task.firstInput + 1, hung: input, reason });
    };
    const watchdog = setInterval(() => {
      if (place[0] !== last) {
        last = place[0] as number;
        lastMs = systemClock.monotonicMs();
      } else if (last >= 0 && systemClock.monotonicMs() - lastMs > hangMs) hung(`no end after ${hangMs} ms`);
    }, 250);
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'failure') {
        lastMs = systemClock.monotonicMs();
        fail(message.failure);
      } else settle({ inputs: message.inputs, hung: undefined, reason: '' });
    });
    worker.on('error', (error) => hung(error.message));
  });
}
