import { systemClock, systemRandom } from '@vivace/kernel';
import { runDemo } from './demo-cli.ts';

process.exitCode = await runDemo({
  argv: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  random: systemRandom,
});
