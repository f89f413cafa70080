/** Lines of logs that say that something is wrong, by message and code, with the last of each. */
export type LogProblems = Map<string, { level: string; times: number; last: string }>;

const MAX_PROBLEMS = 200;

/** Warnings and worse, counted by what they say without what varies in it. */
export function collectProblems(problems: LogProblems, output: string): void {
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue;
    let entry: { level?: string; msg?: string; err?: { code?: string }; problem?: string };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      // The last line of a process that was killed.
      continue;
    }
    const { level = '', msg = '', err } = entry;
    if (level === 'info' || level === 'debug') continue;
    const what = msg.replace(/, at .*/, '').replaceAll(/[0-9a-f]{8,}(-[0-9a-f]+)*/g, '…');
    const key = `${what.slice(0, 120)}${err?.code === undefined ? '' : ` (${err.code})`}`;
    if (problems.size >= MAX_PROBLEMS && !problems.has(key)) continue;
    const known = problems.get(key) ?? { level, times: 0, last: '' };
    problems.set(key, { level, times: known.times + 1, last: line.slice(0, 600) });
  }
}
