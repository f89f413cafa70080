import type { GroupResult } from './ask.ts';
import type { Figure } from './report.ts';
import type { RunResult } from './run.ts';
import { median } from './statistics.ts';
import { format } from './table.ts';

interface Column {
  name: string;
  unit: string;
  digits: number;
  value(group: GroupResult): number | undefined;
}

const COLUMNS: readonly Column[] = [
  { name: 'first', unit: 'ms', digits: 1, value: ({ firstMs }) => firstMs },
  { name: 'p50', unit: 'ms', digits: 2, value: ({ latency }) => latency.p50Ms },
  { name: 'p95', unit: 'ms', digits: 2, value: ({ latency }) => latency.p95Ms },
  { name: 'processor', unit: 'ms a query', digits: 1, value: ({ cpuMs }) => cpuMs },
  { name: 'wrong', unit: 'answers', digits: 0, value: ({ asked, right }) => asked - right },
];

/** Every column of every group as a figure, for machines. */
export function queryFigures(runs: readonly RunResult[]): Figure[] {
  return names(runs).flatMap((name) =>
    COLUMNS.map((column) => ({
      name: `${name}, ${column.name}`,
      unit: column.unit,
      digits: column.digits,
      values: valuesOf(runs, name, column),
    })),
  );
}

/** The suite as a table of its own: a row a group, medians of the runs. No rows where nothing was asked. */
export function queryRows(runs: readonly RunResult[]): string[][] {
  const groups = names(runs);
  if (groups.length === 0) return [];
  const head = ['queries', ...COLUMNS.map(({ name, unit }) => `${name}, ${unit}`), 'asked'];
  const rows = groups.map((name) => {
    const cells = COLUMNS.map((column) => {
      const measured = valuesOf(runs, name, column).filter((value) => !Number.isNaN(value));
      // Of wrong answers the median would hide a run's.
      const value = column.name === 'wrong' ? Math.max(...measured) : median(measured);
      return format(value, column.digits);
    });
    return [name, ...cells, String(runs[0]?.queries.find((group) => group.name === name)?.asked ?? 0)];
  });
  return [head, ...rows];
}

function names(runs: readonly RunResult[]): string[] {
  return (runs[0]?.queries ?? []).map(({ name }) => name);
}

function valuesOf(runs: readonly RunResult[], name: string, column: Column): number[] {
  return runs.map((run) => {
    const group = run.queries.find((one) => one.name === name);
    return (group && column.value(group)) ?? Number.NaN;
  });
}
