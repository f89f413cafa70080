import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isKind, systemClock, systemRandom } from '@vivace/kernel';
import { storeDataset } from './dataset-file.ts';
import { runInterplay } from './interplay.ts';
import { interplayFigures } from './interplay-report.ts';
import { machineFacts } from './machine.ts';
import { type BenchOptions, HELP, parseOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { queryFigures, queryRows } from './query-report.ts';
import { figures, renderJson, renderTable } from './report.ts';
import { renderRequests } from './requests/requests-report.ts';
import { runRequests } from './requests/run-requests.ts';
import { runOnce } from './run.ts';
import { runSplit, splitRows } from './split/run-split.ts';
import { median } from './statistics.ts';

/** The bench as a program: 0 when everything was right, 1 when an answer was wrong, 2 for a usage error. */
async function main(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(argv, systemRandom.u32());
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    process.stderr.write(`${error.message}\nsee npm run bench -- --help\n`);
    return 2;
  }
  if (options.command === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.command === 'micro') {
    const { runMicro } = await import('./micro.ts');
    await print(options, await runMicro(options));
    return 0;
  }
  if (options.command === 'micro metrics') return runMetricsBench(options, signal);
  if (options.scenario === 'lookups') return runLookupsBench(options, signal);
  const workDir = await mkdtemp(path.join(options.workDir ?? tmpdir(), 'vivace-bench-'));
  try {
    return await runAll(options, workDir, signal);
  } finally {
    if (options.keep) process.stderr.write(`the data is in ${workDir}\n`);
    else await rm(workDir, { recursive: true, force: true });
  }
}

async function runLookupsBench(options: BenchOptions, signal: AbortSignal): Promise<number> {
  const { renderLookups, runLookups } = await import('./lookups/run-lookups.ts');
  const surroundings = { clock: systemClock, random: systemRandom, signal };
  const run = await runLookups(options.samples, surroundings, (blocks) => {
    process.stderr.write(`a tenant of ${blocks} blocks\n`);
  });
  for (const complaint of run.complaints) process.stderr.write(`${complaint}\n`);
  const json = `${JSON.stringify({ machine: machineFacts(), ...run }, null, 2)}\n`;
  await print(options, { table: renderLookups(run), json });
  return run.complaints.length > 0 ? 1 : 0;
}

async function runAll(options: BenchOptions, workDir: string, signal: AbortSignal): Promise<number> {
  const progress = createProgress(process.stderr, systemClock);
  progress.begin('making data', options.dataset.spans);
  let made = 0;
  // Blocks of hours that are over are merged.
  const agoMs = options.command === 'requests' ? REQUESTS_AGO_MS : 0;
  const startMs = systemClock.nowMs() - options.dataset.durationMs - options.dataset.lateMs - agoMs;
  const dataset = await storeDataset(
    { ...options.dataset, startMs },
    path.join(workDir, 'dataset'),
    signal,
    (spans) => {
      progress.add(spans - made);
      made = spans;
    },
  );
  progress.end();
  const context = { options, dataset, workDir, clock: systemClock, random: systemRandom, progress, signal };
  const machine = machineFacts();
  const { truth } = dataset;
  let wrong: boolean;
  try {
    if (options.command === 'requests') {
      const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`;
      const { complaints, ...measured } = await runRequests(context, command);
      wrong = complaints.length > 0;
      for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
      const json = `${JSON.stringify(measured, null, 2)}\n`;
      await print(options, { table: renderRequests(measured), json });
      if (options.write) await writeFile(MEASURED_REQUESTS, json);
    } else if (options.scenario === 'split') {
      const runs = await repeat(options, () => runSplit(context));
      wrong = runs.some(({ complaints }) => complaints.length > 0);
      const json = { machine, options, runs };
      await print(options, {
        table: `${splitRows(runs, median).join('\n')}\n`,
        json: `${JSON.stringify(json, ofMaps, 2)}\n`,
      });
    } else if (options.scenario === 'interplay') {
      const runs = await repeat(options, () => runInterplay(context));
      const all = interplayFigures(runs);
      wrong = runs.some(({ complaints }) => complaints.length > 0);
      await print(options, {
        table: renderTable(all, machine, options, truth),
        json: renderJson(all, machine, options, truth, runs),
      });
    } else {
      const runs = await repeat(options, () => runOnce(context));
      const all = figures(runs);
      wrong = runs.some(({ complaints }) => complaints.length > 0);
      await print(options, {
        table: renderTable(all, machine, options, truth, queryRows(runs)),
        json: renderJson([...all, ...queryFigures(runs)], machine, options, truth, runs),
      });
    }
  } finally {
    await dataset.close();
  }
  return wrong ? 1 : 0;
}

function ofMaps(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** Where `vivace cost` has its counts from. */
const MEASURED_REQUESTS = path.resolve(
  import.meta.dirname,
  '../../packages/vivace/src/cli/cost/measured-requests.json',
);

const REQUESTS_AGO_MS = 4 * 3_600_000;

const METRICS_BENCH = path.resolve(import.meta.dirname, '../../packages/block-query/src/metrics/metrics.bench.ts');

/** A process of its own, so that nothing else has warmed it up; it prints its table itself. */
async function runMetricsBench({ dataset }: BenchOptions, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [METRICS_BENCH, String(dataset.spans)], { stdio: 'inherit', signal });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function repeat<Result extends { complaints: readonly string[] }>(
  { runs }: BenchOptions,
  runOne: () => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let run = 0; run < runs; run++) {
    const result = await runOne();
    results.push(result);
    for (const complaint of result.complaints) process.stderr.write(`run ${run + 1}: ${complaint}\n`);
  }
  return results;
}

async function print(options: BenchOptions, { table, json }: { table: string; json: string }): Promise<void> {
  process.stdout.write(options.json === '-' ? json : table);
  if (options.json !== undefined && options.json !== '-') await writeFile(options.json, json);
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
}
try {
  process.exitCode = await main(process.argv.slice(2), stop.signal);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
