// `npm run cluster-soak -- [--minutes 6] [--seed 1] [--suspend 90]`: a split deployment of eleven processes under load,
// each killed twice, one ingester stopped for a while and continued; then everything that was acknowledged, once. Each
// question has one retry, a second after the attempt that failed, of a frontend that is ready then, and of the other one
// if both are: what a person with Grafana does, whose Service has no dead endpoint any more by that time. Exits with 1
// where not.
import { parseArgs } from 'node:util';
import { runCluster } from './cluster-run.ts';
import { fullSettings } from './cluster-settings.ts';
import { formatClusterReport } from './report.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
    suspend: { type: 'string', default: '90' },
  },
});
const settings = fullSettings({
  minutes: Number(values.minutes),
  seed: Number(values.seed),
  suspendSeconds: Number(values.suspend),
});
// Nothing that was started outlives this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const tell = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`);
const result = await runCluster(settings, { tell });
process.stdout.write(`\n${formatClusterReport(result)}`);
process.exitCode = result.failures.length === 0 ? 0 : 1;
