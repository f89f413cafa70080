import type { AskCounts } from '../truth/asking.ts';
import type { ClusterResult } from './cluster-run.ts';

/** The result as tables for people, with the verdict at the end. */
export function formatClusterReport(result: ClusterResult): string {
  const { settings, spans, load, acts, members, asked, askedAfter, inventory, logProblems, failures } = result;
  const lines: string[] = [];
  const row = (name: string, value: string | number) => lines.push(`${name.padEnd(22)} ${value}`);
  const { sizes, seed, minutes } = settings;
  row('settings', JSON.stringify({ minutes, seed, sizes }));
  row('minutes', `${result.loadMinutes.toFixed(1)} of load, ${result.minutes.toFixed(1)} in all`);
  row('spans', `${spans.acknowledged} acknowledged of ${spans.sent} sent, ${spans.traces} traces`);
  row(
    'requests',
    `${load.taken} taken, ${load.resent} sent again after that, ${load.refused} refused, ${load.gone} of unknown end, ` +
      `${load.longestMs} ms the longest until taken`,
  );
  row('answers meanwhile', describeAnswers(asked));
  row('answers afterwards', describeAnswers(askedAfter));
  if (inventory !== undefined) {
    const { classes, missing, overdue, unknown } = inventory;
    row(
      'the bucket',
      Object.entries(classes)
        .map(([name, { objects }]) => `${objects} ${name}`)
        .join(', '),
    );
    row('should not be so', `${missing.length} missing, ${overdue.length} overdue, ${unknown.length} unknown`);
  }
  lines.push('', 'second  what                        away s   parts  the last of them after s');
  for (const { second, what, awayMs, parts, lastPartMs } of acts) {
    const cells = [`${second}`.padStart(6), what.padEnd(26), seconds(awayMs).padStart(7), `${parts}`.padStart(6)];
    lines.push([...cells, parts === 0 ? '' : seconds(lastPartMs)].join('  ').trimEnd());
  }
  lines.push('', 'process              starts  ready after s, at most  peak MiB');
  for (const { name, starts, peakRssMib } of members) {
    const longest = seconds(Math.max(0, ...starts));
    lines.push(
      `${name.padEnd(20)} ${`${starts.length}`.padStart(6)}  ${longest.padStart(22)}  ${`${peakRssMib}`.padStart(8)}`,
    );
  }
  if (logProblems.size > 0) lines.push('');
  for (const [message, { level, times }] of logProblems) row(`log, ${level}`, `${times} × ${message}`);
  lines.push('', failures.length === 0 ? 'nothing was lost or doubled' : `${failures.length} FAILURES`);
  for (const failure of failures) lines.push(`  ${failure}`);
  return `${lines.join('\n')}\n`;
}

function describeAnswers({ whole, second, parts, checkedSpans, notWhole, longestWaitMs }: AskCounts): string {
  const attempts = [...notWhole].map(([why, times]) => `${times} ${why}`).join(', ');
  return (
    `${whole.trace} traces, ${whole.search} searches, ${whole.count} counts whole (${second} by the retry), ` +
    `${parts} still parts after it, right for ${checkedSpans} spans; attempts that failed: ${attempts || 'none'}; ` +
    `${longestWaitMs} ms the longest`
  );
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
