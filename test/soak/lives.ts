import type { ChildProcess } from 'node:child_process';
import { fraction, type Random } from '@vivace/kernel';
import { pause } from '../harness/load.ts';
import { collectProblems, type LogProblems } from '../harness/process-log.ts';
import { residentMib } from '../harness/process-memory.ts';
import { startServer, type TestServer } from '../harness/server.ts';

export interface LivesOptions {
  random: Random;
  env: () => Record<string, string>;
  /** Where a process keeps what it must find again; a new directory a life where nothing on disk has to survive. */
  dataDir: () => string;
  /** A process lives so long on average; 0: until the end. */
  killEveryMs: number;
}

/** What is remembered of a process. */
interface Life {
  startedMs: number;
  /** From its spawn to its line `ready`; undefined where it did not come to that. */
  readyAfterMs: number | undefined;
  seconds: number;
  end: 'killed' | 'killed in its start' | 'failed to start' | 'died' | 'stopped';
  /** Resident memory at its highest, MiB, and a line through all samples, MiB a minute. 0 where the system does not say. */
  peakRssMib: number;
  rssMibPerMinute: number;
}

/** One process after another over the same store, each killed at a random moment. */
export interface Lives {
  readonly lives: Life[];
  /** Lines of the log that say that something is wrong, by message and code, with the last of each. */
  readonly problems: LogProblems;
  /** The process that is ready now. */
  current(): TestServer | undefined;
  /** No more kills: resolves with the last process, which is ready. Rejects where a process ended by itself. */
  calm(): Promise<TestServer>;
  /** Kills the process, and resolves with the next one. Only when calm. */
  restart(): Promise<TestServer>;
  /** Ends the last process as an operator does; resolves with its exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

const SAMPLE_MS = 1000;
const MIN_READY_MS = 8000;
const OUTPUT_KEPT = 20_000;
const READY_WITHIN_MS = 120_000;

export function startLives({ random, env, dataDir, killEveryMs }: LivesOptions): Lives {
  const lives: Life[] = [];
  const problems: LogProblems = new Map();
  const failures: Error[] = [];
  let child: ChildProcess | undefined;
  let current: TestServer | undefined;
  let ended = false;
  let calm = false;
  let killNow = (): void => undefined;

  const live = async (): Promise<void> => {
    const startedMs = Date.now();
    const samples: [ms: number, mib: number][] = [];
    const sample = setInterval(() => samples.push([Date.now() - startedMs, residentMib(child?.pid)]), SAMPLE_MS);
    // Some die in their start or in the replay of their log.
    const early = random.u32() % 6 === 0;
    const lifeMs = early ? fraction(random) * 3000 : killEveryMs * (0.5 + fraction(random));
    let killed = false;
    let server: TestServer | undefined;
    let readyAfterMs: number | undefined;
    killNow = () => {
      killed = true;
      current = undefined;
      child?.kill('SIGKILL');
    };
    const killer = setInterval(() => {
      if (killEveryMs === 0 || calm || killed) return;
      // On a slow machine a start must not take all of a life.
      const leastMs = early ? 0 : (readyAfterMs ?? Number.POSITIVE_INFINITY) + Math.min(MIN_READY_MS, killEveryMs / 2);
      if (Date.now() - startedMs > Math.max(lifeMs, leastMs)) killNow();
    }, 20);
    try {
      server = await startServer({ dataDir: dataDir(), env: env(), onSpawn: (spawned) => (child = spawned) });
      readyAfterMs = Date.now() - startedMs;
      if (!killed) current = server;
      await exitOf(child as ChildProcess);
    } catch (error) {
      const output = (error as Error).message;
      if (!killed && !ended) collectProblems(problems, `{"level":"start","msg":${JSON.stringify(lastLine(output))}}`);
    } finally {
      clearInterval(sample);
      clearInterval(killer);
    }
    current = undefined;
    const output = server?.output() ?? '';
    collectProblems(problems, output);
    const seconds = (Date.now() - startedMs) / 1000;
    const ready = readyAfterMs !== undefined;
    const end = ended
      ? 'stopped'
      : killed
        ? ready
          ? 'killed'
          : 'killed in its start'
        : ready
          ? 'died'
          : 'failed to start';
    lives.push({ startedMs, readyAfterMs, seconds, end, ...memoryOf(samples) });
    if (end === 'died') failures.push(new Error(`a process ended by itself:\n${output.slice(-OUTPUT_KEPT)}`));
  };

  const running = (async () => {
    while (!ended && failures.length === 0) {
      await live();
      // As a supervisor does.
      if (!ended && lives.at(-1)?.end === 'failed to start') await pause(500);
    }
  })();
  running.catch(() => undefined);

  const ready = async (): Promise<TestServer> => {
    for (let waited = 0; current === undefined; waited += 50) {
      if (failures[0] !== undefined) throw failures[0];
      if (waited > READY_WITHIN_MS) throw new Error('no process gets ready');
      await pause(50);
    }
    return current;
  };

  return {
    lives,
    problems,
    current: () => current,
    calm: () => {
      calm = true;
      return ready();
    },
    restart: () => {
      killNow();
      return ready();
    },
    stop: async () => {
      ended = true;
      const code = await (await ready()).stop();
      await running;
      return code;
    },
    kill: async () => {
      ended = true;
      child?.kill('SIGKILL');
      await running;
    },
  };
}

function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** The highest sample, and the slope of the line of least squares after the first minute, which is for warming up. */
function memoryOf(samples: readonly [ms: number, mib: number][]): { peakRssMib: number; rssMibPerMinute: number } {
  const peakRssMib = Math.round(samples.reduce((highest, [, mib]) => Math.max(highest, mib), 0));
  const late = samples.filter(([ms, mib]) => ms > 60_000 && mib > 0);
  if (late.length < 5) return { peakRssMib, rssMibPerMinute: 0 };
  const mean = (of: 0 | 1) => late.reduce((sum, point) => sum + point[of], 0) / late.length;
  const [meanMs, meanMib] = [mean(0), mean(1)];
  let both = 0;
  let square = 0;
  for (const [ms, mib] of late) {
    both += (ms - meanMs) * (mib - meanMib);
    square += (ms - meanMs) ** 2;
  }
  return { peakRssMib, rssMibPerMinute: Number(((60_000 * both) / square).toFixed(2)) };
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
