// A split deployment of eleven processes under load, each killed twice, one ingester stopped for a while and continued;
// then everything that was acknowledged, once. Each question has one retry, a second after the attempt that failed, of a
// frontend that is ready then, and of the other one if both are: what a person with Grafana does, whose Service has no
// dead endpoint any more by that time.
import { readFlags } from '../harness/flags.ts';
import { runCluster } from './cluster-run.ts';
import { fullSettings } from './cluster-settings.ts';
import { formatClusterReport } from './report.ts';

const USAGE = `usage: npm run cluster-soak -- [flags]

  --minutes N   6
  --seed N      1
  --suspend N   seconds that an ingester is stopped (90)

Exits with 1 where what was acknowledged is not there, once.
`;

const { minutes, seed, suspend } = readFlags(USAGE, { minutes: 6, seed: 1, suspend: 90 });
const settings = fullSettings({ minutes, seed, suspendSeconds: suspend });
// Nothing that was started outlives this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const tell = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`);
const result = await runCluster(settings, { tell });
process.stdout.write(`\n${formatClusterReport(result)}`);
process.exitCode = result.failures.length === 0 ? 0 : 1;
