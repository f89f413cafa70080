// Load, kills and a failing store, and afterwards everything that was acknowledged, once.
import { writeFileSync } from 'node:fs';
import { readFlags, refuse } from '../harness/flags.ts';
import { formatReport, reportJson } from './report.ts';
import { soak } from './soak.ts';
import { DEFAULT_SETTINGS } from './soak-settings.ts';

const USAGE = `usage: npm run soak -- [flags]

  --minutes N        ${DEFAULT_SETTINGS.minutes}
  --seed N           ${DEFAULT_SETTINGS.seed}
  --kill-every N     seconds that a process lives on average; 0: no kills (${DEFAULT_SETTINGS.killEverySeconds})
  --rate N           requests a second (${DEFAULT_SETTINGS.requestsPerSecond})
  --retention N      seconds that spans are kept; 0: for ever (${DEFAULT_SETTINGS.retentionMs / 1000})
  --log NAME         where the log is: bucket or disk (${DEFAULT_SETTINGS.log})
  --fresh-names      every process has a new name: logs are taken over when their leases are old
  --fair             nothing goes wrong with the store
  --report FILE      write the figures as JSON

Exits with 1 where what was acknowledged is not there, once.
`;

const flags = readFlags(USAGE, {
  minutes: DEFAULT_SETTINGS.minutes,
  seed: DEFAULT_SETTINGS.seed,
  log: DEFAULT_SETTINGS.log as string,
  'kill-every': DEFAULT_SETTINGS.killEverySeconds,
  rate: DEFAULT_SETTINGS.requestsPerSecond,
  retention: DEFAULT_SETTINGS.retentionMs / 1000,
  'fresh-names': false,
  fair: false,
  report: undefined as string | undefined,
});
const { log } = flags;
if (log !== 'disk' && log !== 'bucket') refuse('--log is disk or bucket', USAGE);
const settings = {
  ...DEFAULT_SETTINGS,
  minutes: flags.minutes,
  seed: flags.seed,
  log,
  killEverySeconds: flags['kill-every'],
  requestsPerSecond: flags.rate,
  retentionMs: 1000 * flags.retention,
  weather: !flags.fair,
  freshNames: flags['fresh-names'],
} as const;
const result = await soak(settings, (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`));
process.stdout.write(`\n${formatReport(result)}`);
if (flags.report !== undefined) writeFileSync(flags.report, reportJson(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
