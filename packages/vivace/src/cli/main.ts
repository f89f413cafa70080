import { constants } from 'node:os';
import { VivaceError } from '@vivace/kernel';
import { runCli } from '../cli.ts';
import { systemSurroundings } from '../surroundings.ts';
import { runCommand } from './run-command.ts';

const surroundings = systemSurroundings();

/** `vivace serve` is `npm start`. */
async function serve(): Promise<never> {
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  const code = await runCli({
    ...surroundings,
    argv: surroundings.argv.slice(1),
    loadCompose: async () => (await import('../compose.ts')).compose,
    onSignal: (handler) => {
      process.on('SIGTERM', handler);
      process.on('SIGINT', handler);
    },
    exit: (exitCode) => process.exit(exitCode),
  });
  process.exit(code);
}

async function command(): Promise<never> {
  const stop = new AbortController();
  let exitCode: number | undefined;
  // A reader that has seen enough (`| head`) goes away: that is an end like others.
  process.stdout.on('error', () => {
    exitCode ??= 0;
    stop.abort(new VivaceError('canceled', 'stopped', 'nobody reads the output any more'));
  });
  process.stderr.on('error', () => {});
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const code = 128 + constants.signals[signal];
      if (stop.signal.aborted) process.exit(code);
      exitCode = code;
      stop.abort(new VivaceError('canceled', 'stopped', `stopped by ${signal}`));
    });
  }
  const code = await runCommand({ ...surroundings, signal: stop.signal });
  // What a pipe has not taken yet would be lost with the process.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit(exitCode ?? code);
}

await (surroundings.argv[0] === 'serve' ? serve() : command());
