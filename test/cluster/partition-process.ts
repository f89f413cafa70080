// What partition.test.ts runs in the middle of a network: a cluster whose processes lose each other. Prints its result.
import { memberNames } from './cluster.ts';
import { runCluster } from './cluster-run.ts';
import { BUCKET, type ClusterSettings } from './cluster-settings.ts';
import { networkWithin } from './network.ts';
import { formatClusterReport } from './report.ts';

const [id, text] = process.argv.slice(2) as [string, string];
const settings = JSON.parse(text) as ClusterSettings;
const network = networkWithin(id, [BUCKET, ...memberNames(settings.sizes)]);
// Nothing that was started outlives this process.
process.once('SIGTERM', () => process.exit(1));
const result = await runCluster(settings, {
  network,
  tell: (line) => process.stderr.write(`${line}\n`),
});
const { failures, spans, asked, askedAfter, acts, load } = result;
const report = formatClusterReport(result);
process.stdout.write(JSON.stringify({ failures, spans, asked, askedAfter, acts, load, report }));
