import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { memberNames } from './cluster.ts';
import type { ClusterResult } from './cluster-run.ts';
import { BUCKET, type ClusterSettings } from './cluster-settings.ts';
import { createNetwork, middleLauncher } from './network.ts';

/*
 * Processes that lose each other: an ingester and the bucket, a distributor and an ingester, a querier and an ingester. Each has a network of its
 * own, which takes `ip netns` and the rights for it; elsewhere the test is skipped, and says so.
 */

const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
/** More than a minute: another ingester takes over the log of the one that is cut off. */
const CUT_SECONDS = Number(process.env['VIVACE_TEST_CUT_SECONDS'] ?? 15);

const script = fileURLToPath(new URL('./partition-process.ts', import.meta.url));
const sizes = { distributor: 1, ingester: 2, querier: 1, 'query-frontend': 1, compactor: 0 };
const settings: ClusterSettings = {
  minutes: (3 * CUT_SECONDS + 20) / 60,
  seed: SEED,
  sizes,
  acts: [
    { cut: ['ingester-1', BUCKET], away: 'ingester-1', seconds: CUT_SECONDS },
    { cut: ['distributor-1', 'ingester-2'], seconds: CUT_SECONDS },
    // It goes on taking spans, and the querier reads its log.
    { cut: ['querier-1', 'ingester-2'], away: 'ingester-2', seconds: CUT_SECONDS },
  ],
  requestsPerSecond: 10,
  readers: 4,
  questionsPerSecond: 8,
  cutInterval: '3s',
};

/** What is asked when the load has ended took five times as long where others were at work on the machine. */
const TIMEOUT_MS = 15 * 60_000 + 4000 * CUT_SECONDS;
/** Of what the processes said, where the test fails. */
const OUTPUT_KEPT = 20_000;

test('an ingester without the bucket, and a distributor and a querier without an ingester, lose and double nothing', {
  timeout: TIMEOUT_MS,
}, async ({ skip, onTestFinished, onTestFailed }) => {
  const id = `vivace-${process.pid}`;
  const network = await createNetwork(id, [BUCKET, ...memberNames(sizes)]).catch((error: Error) => error);
  if (network instanceof Error) {
    const reason = network.message.split('\n', 2).join(' ');
    console.info(`skipped, there are no networks to cut here: ${reason}`);
    return skip(reason);
  }
  onTestFinished(() => network.remove());
  const command = [...middleLauncher(id), process.execPath, script, id, JSON.stringify(settings)];
  const running = promisify(execFile)(command[0] as string, command.slice(1), { maxBuffer: 64 * 1024 * 1024 });
  // Also where it does not come to a report: it is given up, or ends with an error of its own.
  let said = '';
  running.child.stderr?.on('data', (text: Buffer | string) => {
    said = (said + text.toString()).slice(-OUTPUT_KEPT);
  });
  onTestFailed(() => console.info(`VIVACE_TEST_SEED=${SEED}\n${said}`));
  onTestFinished(async () => {
    running.child.kill('SIGTERM');
    await running.catch(() => undefined);
  });
  const result = JSON.parse((await running).stdout) as ClusterResult & { report: string };
  const report = `VIVACE_TEST_SEED=${SEED}\n${result.report}`;
  console.info(report);
  expect(result.failures, report).toEqual([]);
  const { spans, acts, asked, askedAfter } = result;
  expect(spans.acknowledged).toBe(spans.sent);
  expect(spans.acknowledged).toBeGreaterThan(300);
  expect(acts.map(({ what }) => what)).toEqual([
    'cut ingester-1 from bucket',
    'cut distributor-1 from ingester-2',
    'cut querier-1 from ingester-2',
  ]);
  expect(asked.parts, report).toBe(0);
  expect(asked.whole.trace + asked.whole.search + asked.whole.count).toBeGreaterThan(10);
  expect(askedAfter.whole.trace).toBeGreaterThanOrEqual(spans.traces);
});
