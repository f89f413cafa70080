import type { Machine } from './machine.ts';
import type { BenchOptions } from './options.ts';
import type { RunResult } from './run.ts';
import { median } from './statistics.ts';
import { alignColumns, format } from './table.ts';
import type { Truth } from './truth.ts';

/** One line of the table: a figure of every run, and how to print it. */
export interface Figure {
  name: string;
  unit: string;
  digits: number;
  /** NaN where a run did not measure it. */
  values: number[];
}

const MEGABYTE = 1e6;

/** The figures of all runs, in the order of the table. */
export function figures(runs: readonly RunResult[]): Figure[] {
  const figure = (
    name: string,
    unit: string,
    digits: number,
    value: (run: RunResult) => number | undefined,
  ): Figure => ({
    name,
    unit,
    digits,
    values: runs.map((run) => value(run) ?? Number.NaN),
  });
  const sections = [...new Set(runs.flatMap((run) => Object.keys(run.blocks?.sections ?? {})))];
  return [
    figure('accepted', 'spans/s', 0, (run) => run.spansPerSecond),
    figure('from first byte to block', 'spans per CPU-second', 0, (run) => run.spansPerCpuSecond),
    figure('peak memory of the process tree', 'MB', 0, (run) => scaled(run.peakRssBytes)),
    figure('request p50', 'ms', 1, (run) => run.loads[0]?.latency.p50Ms),
    figure('request p99', 'ms', 1, (run) => run.loads[0]?.latency.p99Ms),
    figure('retries', '', 0, (run) => run.loads.reduce((sum, { retries }) => sum + retries, 0)),
    figure('flush', 'ms', 0, (run) => run.flushMs),
    figure('stored, everything', 'bytes/span', 2, (run) => run.storedBytesPerSpan),
    ...sections.map((section) =>
      figure(`  ${section}`, 'bytes/span', 2, ({ blocks }) => blocks && (blocks.sections[section] ?? 0) / blocks.spans),
    ),
    figure(
      '  what is left of the log',
      'bytes/span',
      2,
      ({ stored, storedBytesPerSpan = 0 }) => stored && (stored.logBytes / stored.totalBytes) * storedBytesPerSpan,
    ),
    figure('blocks', '', 0, ({ blocks }) => blocks?.blocks),
    figure('ack to readable under load, p50', 'ms', 1, (run) => run.freshLoaded.latency.p50Ms),
    figure('ack to readable under load, p95', 'ms', 1, (run) => run.freshLoaded.latency.p95Ms),
    figure('ack to readable under load, max', 'ms', 1, (run) => run.freshLoaded.latency.maxMs),
    figure('ack to readable at rest, p50', 'ms', 1, (run) => run.freshIdle.latency.p50Ms),
    figure('ack to readable at rest, p95', 'ms', 1, (run) => run.freshIdle.latency.p95Ms),
    figure('ack to readable at rest, max', 'ms', 1, (run) => run.freshIdle.latency.maxMs),
    ...(['searchLoaded', 'searchIdle'] as const).flatMap((which) => {
      const name = `ack to searchable ${which === 'searchLoaded' ? 'under load' : 'at rest'}`;
      return [
        figure(`${name}, p50`, 'ms', 1, (run) => run[which].latency.p50Ms),
        figure(`${name}, p95`, 'ms', 1, (run) => run[which].latency.p95Ms),
        figure(`${name}, max`, 'ms', 1, (run) => run[which].latency.maxMs),
      ];
    }),
    figure('restart until ready', 'ms', 0, (run) => run.restartMs),
    ...(['cold', 'warm', 'absent'] as const).flatMap((pass) => [
      figure(`by id ${pass}, p50`, 'ms', 2, (run) => run[pass]?.latency.p50Ms),
      figure(`by id ${pass}, p95`, 'ms', 2, (run) => run[pass]?.latency.p95Ms),
      figure(`by id ${pass}, p99`, 'ms', 2, (run) => run[pass]?.latency.p99Ms),
      figure(`by id ${pass}, store reads`, 'mean', 2, (run) => run[pass]?.reads?.mean),
      figure(`by id ${pass}, store reads`, 'max', 0, (run) => run[pass]?.reads?.max),
      figure(`by id ${pass}, wrong`, `of ${runs[0]?.[pass]?.asked ?? 0}`, 0, (run) => wrongOf(run[pass])),
    ]),
    figure('million-span trace, v1', 'ms', 0, ({ giant }) => giant?.v1Ms),
    figure('million-span trace, v2', 'ms', 0, ({ giant }) => giant?.v2Ms),
    figure(
      'spans counted, wrong',
      `of ${runs[0]?.counted.asked ?? 0}`,
      0,
      ({ counted }) => counted.asked - counted.whole,
    ),
  ];
}

function wrongOf(pass: { asked: number; equal: number } | undefined): number | undefined {
  return pass === undefined ? undefined : pass.asked - pass.equal;
}

function scaled(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / MEGABYTE;
}

/** The table that a person reads: the median and every run; figures that no run has are left out. */
export function renderTable(
  all: readonly Figure[],
  machine: Machine,
  options: BenchOptions,
  truth: Truth,
  queries: readonly string[][] = [],
): string {
  const rows = [
    [
      '',
      'median',
      '',
      ...(all[0]?.values.length === 1 ? [] : (all[0]?.values ?? []).map((_, run) => `run ${run + 1}`)),
    ],
    ...all
      .filter(({ values }) => values.some((value) => !Number.isNaN(value)))
      .map(({ name, unit, digits, values }) => [
        name,
        format(median(values.filter((value) => !Number.isNaN(value))), digits),
        unit,
        ...(values.length === 1 ? [] : values.map((value) => format(value, digits))),
      ]),
  ];
  return [
    `${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 1e9)} GB, ${machine.system}, Node ${machine.node}`,
    `${options.scenario}: ${truth.spans} spans in ${truth.traces} traces, ${(truth.bytes / truth.spans).toFixed(0)} bytes a span on the wire, seed ${options.dataset.seed}, ${options.connections} connections`,
    '',
    ...alignColumns(rows),
    ...(queries.length === 0 ? [] : ['', ...alignColumns(queries, new Set([0]))]),
    '',
  ].join('\n');
}

/** Everything, for machines. Figures not measured are null. */
export function renderJson(
  all: readonly Figure[],
  machine: Machine,
  options: BenchOptions,
  truth: Truth,
  runs: readonly unknown[],
): string {
  const { spans, traces, lateTraces, bytes } = truth;
  const medians = all.map(({ name, unit, values }) => ({
    name: name.trim(),
    unit,
    median: median(values.filter((value) => !Number.isNaN(value))),
    values,
  }));
  const report = { machine, options, dataset: { spans, traces, lateTraces, bytes }, figures: medians, runs };
  return `${JSON.stringify(report, null, 2)}\n`;
}
