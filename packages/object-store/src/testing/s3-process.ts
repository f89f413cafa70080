import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { S3Weather, S3WeatherCounts } from './s3-weather.ts';

const mainFile = fileURLToPath(new URL('./s3-server-main.ts', import.meta.url));

/** What a server in a process of its own has at a moment. */
export interface S3ProcessCounts {
  requests: number;
  objects: number;
  bytes: number;
  /** Undefined in fair weather. */
  weather?: S3WeatherCounts;
}

/** The embedded S3 server in a process of its own: what uses it can be killed, and it takes no time of its tests. */
export interface S3Process {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  counts(): Promise<S3ProcessCounts>;
  /** From now on; undefined: nothing goes wrong. The counts are of the weather before. */
  setWeather(weather: S3Weather | undefined): Promise<S3ProcessCounts>;
  close(): Promise<void>;
}

export interface S3ProcessOptions {
  bucket?: string;
  /** Where it listens. */
  host?: string;
  /** A command that runs the one that follows it. */
  launcher?: readonly string[];
}

export async function startS3Process({
  bucket = 'traces',
  host = '127.0.0.1',
  launcher = [],
}: S3ProcessOptions = {}): Promise<S3Process> {
  const command = [...launcher, process.execPath, mainFile, '--bucket', bucket, '--host', host];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const [line] = (await Promise.race([
    once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data'),
    exited.then(() => Promise.reject(new Error('the S3 server did not start'))),
  ])) as [Buffer];
  const { endpoint, region, accessKeyId, secretAccessKey } = JSON.parse(line.toString()) as Record<
    'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey',
    string
  >;
  const ended = exited.then(() => Promise.reject(new Error('the S3 server has ended')));
  ended.catch(() => undefined);
  // One at a time: an answer does not say what it is the answer to.
  let turn: Promise<unknown> = Promise.resolve();
  const order = (message: { weather?: S3Weather | null }): Promise<S3ProcessCounts> => {
    const answer = turn.then(async () => {
      const answered = once(child, 'message');
      child.send(message);
      const [counts] = (await Promise.race([answered, ended])) as [S3ProcessCounts];
      return counts;
    });
    turn = answer.catch(() => undefined);
    return answer;
  };
  return {
    endpoint,
    region,
    bucket,
    credentials: { accessKeyId, secretAccessKey },
    counts: () => order({}),
    setWeather: (weather) => order({ weather: weather ?? null }),
    close: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
