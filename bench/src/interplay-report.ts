import type { InterplayResult } from './interplay.ts';
import type { Figure } from './report.ts';

/** The figures of all runs, in the order of the table. */
export function interplayFigures(runs: readonly InterplayResult[]): Figure[] {
  const figure = (
    name: string,
    unit: string,
    digits: number,
    value: (run: InterplayResult) => number | undefined,
  ): Figure => ({
    name,
    unit,
    digits,
    values: runs.map((run) => value(run) ?? Number.NaN),
  });
  return [
    figure('accepted alone', 'spans/s', 0, (run) => run.aloneSpansPerSecond),
    figure('accepted beside scans', 'spans/s', 0, (run) => run.bothSpansPerSecond),
    figure('  of what was accepted alone', '%', 0, (run) => (run.bothSpansPerSecond / run.aloneSpansPerSecond) * 100),
    figure('  processor time of the scans', '% of all cores', 0, ({ scanShare }) => scanShare && scanShare * 100),
    figure('request alone, p50', 'ms', 1, (run) => run.aloneRequest.p50Ms),
    figure('request alone, p99', 'ms', 1, (run) => run.aloneRequest.p99Ms),
    figure('request beside scans, p50', 'ms', 1, (run) => run.bothRequest.p50Ms),
    figure('request beside scans, p99', 'ms', 1, (run) => run.bothRequest.p99Ms),
    ...(['aloneScans', 'bothScans'] as const).flatMap((which) => {
      const name = which === 'aloneScans' ? 'scans alone' : 'scans beside the load';
      return [
        figure(`${name}, answered`, '', 0, (run) => run[which].answered),
        figure(`${name}, answered`, 'a second', 2, (run) => run[which].perSecond),
        figure(`${name}, p50`, 'ms', 1, (run) => run[which].latency.p50Ms),
        figure(`${name}, p95`, 'ms', 1, (run) => run[which].latency.p95Ms),
      ];
    }),
  ];
}
