import { systemClock, systemRandom } from '@vivace/kernel';
import { runCli } from './cli.ts';

// A reader that goes away (`| head`) is no reason to stop serving.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const code = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  random: systemRandom,
  loadCompose: async () => (await import('./compose.ts')).compose,
  onSignal: (handler) => {
    process.on('SIGTERM', handler);
    process.on('SIGINT', handler);
  },
  exit: (code) => process.exit(code),
});
// Whatever a library still holds open must not keep a stopped server alive.
process.exit(code);
