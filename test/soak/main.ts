// `npm run soak -- [--minutes 5] [--seed 1] [--report FILE]`: load, kills and a failing store, and afterwards everything
// that was acknowledged, once. Exits with 1 where not. What else can be set:
//   --kill-every 30    seconds that a process lives on average; 0: no kills
//   --rate 15          requests a second
//   --retention 120    seconds that spans are kept; 0: for ever
//   --log bucket|disk  where the log is
//   --fresh-names      every process has a new name: logs are taken over when their leases are old
//   --fair             nothing goes wrong with the store
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatReport, reportJson } from './report.ts';
import { soak } from './soak.ts';
import { DEFAULT_SETTINGS } from './soak-settings.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: String(DEFAULT_SETTINGS.minutes) },
    seed: { type: 'string', default: String(DEFAULT_SETTINGS.seed) },
    log: { type: 'string', default: DEFAULT_SETTINGS.log },
    'kill-every': { type: 'string', default: String(DEFAULT_SETTINGS.killEverySeconds) },
    rate: { type: 'string', default: String(DEFAULT_SETTINGS.requestsPerSecond) },
    retention: { type: 'string', default: String(DEFAULT_SETTINGS.retentionMs / 1000) },
    'fresh-names': { type: 'boolean', default: false },
    fair: { type: 'boolean', default: false },
    report: { type: 'string' },
  },
});
if (values.log !== 'disk' && values.log !== 'bucket') throw new Error('--log is disk or bucket');
const settings = {
  ...DEFAULT_SETTINGS,
  minutes: Number(values.minutes),
  seed: Number(values.seed),
  log: values.log,
  killEverySeconds: Number(values['kill-every']),
  requestsPerSecond: Number(values.rate),
  /** In seconds; 0: for ever. */
  retentionMs: 1000 * Number(values.retention),
  weather: !values.fair,
  freshNames: values['fresh-names'],
} as const;
const result = await soak(settings, (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`));
process.stdout.write(`\n${formatReport(result)}`);
if (values.report !== undefined) writeFileSync(values.report, reportJson(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
