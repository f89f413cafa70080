import type { SoakResult } from './soak.ts';
import { median } from './soak.ts';

/** The result as tables for people. */
export function formatReport(result: SoakResult): string {
  const { settings, spans, load, lives, asked, askedAfter, store, bucket, inventory, logProblems, failures } = result;
  const lines: string[] = [];
  const row = (name: string, value: string | number) => lines.push(`${name.padEnd(22)} ${value}`);
  row('settings', JSON.stringify(settings));
  row('minutes in all', result.minutes.toFixed(1));
  row('spans', `${spans.acknowledged} acknowledged of ${spans.sent} sent, ${spans.traces} traces`);
  row(
    'requests',
    `${load.taken} taken, ${load.resent} sent again after that, ${load.refused} refused, ${load.gone} of unknown end, ` +
      `${load.longestMs} ms the longest until taken`,
  );
  const ends = Map.groupBy(lives, ({ end }) => end);
  row('processes', [...ends].map(([end, of]) => `${of.length} ${end}`).join(', '));
  const starts = lives.flatMap(({ readyAfterMs }) => (readyAfterMs === undefined ? [] : [readyAfterMs]));
  row('ready after', `${median(starts)} ms median, ${Math.max(0, ...starts)} ms at most`);
  const { memory } = result;
  row(
    'peak memory of a life',
    `${memory.earlyMib} MiB in the first third of ${memory.lives}, ${memory.lateMib} in the last, ` +
      `${memory.highestMib} at most`,
  );
  for (const { seconds, rssMibPerMinute, peakRssMib } of lives) {
    if (seconds > 150)
      row('a long life', `${seconds.toFixed(0)} s, ${peakRssMib} MiB, ${rssMibPerMinute} MiB a minute`);
  }
  for (const [name, counts] of [
    ['answers in the storm', asked],
    ['answers after it', askedAfter],
  ] as const) {
    const { whole, checkedSpans, expiredSpans, notWhole, longestWaitMs } = counts;
    row(
      name,
      `${whole.trace} traces, ${whole.search} searches, ${whole.count} counts, right for ${checkedSpans} spans, ` +
        `${expiredSpans} of them expired; ` +
        `asked again: ${[...notWhole].map(([why, times]) => `${times} ${why}`).join(', ') || 'never'}; ` +
        `${longestWaitMs} ms the longest until whole`,
    );
  }
  if (store !== undefined) {
    row('requests to the store', store.requests);
    for (const [operation, outcomes] of Object.entries(store.weather?.outcomes ?? {})) {
      row(
        `  ${operation}`,
        Object.entries(outcomes)
          .map(([outcome, times]) => `${times} ${outcome}`)
          .join(', '),
      );
    }
    if (store.weather !== undefined) row('  latency, ms', JSON.stringify(store.weather.latencyMs));
  }
  const at = (share: number) => bucket[Math.floor(share * (bucket.length - 1))];
  const seen = [0.25, 0.5, 0.75, 1].flatMap((share) => at(share) ?? []);
  row(
    'objects in the bucket',
    seen.map(({ second, objects, bytes }) => `${second} s: ${objects} (${mib(bytes)})`).join(', '),
  );
  if (inventory !== undefined) {
    const { classes, liveBlocks, missing, overdue, unknown } = inventory;
    row(
      'at the end',
      Object.entries(classes)
        .map(([name, of]) => `${of.objects} ${name} (${mib(of.bytes)})`)
        .join(', '),
    );
    row('live blocks', JSON.stringify(liveBlocks));
    const swept = Object.entries(result.sweptInventory?.classes ?? {});
    row('when swept', swept.map(([name, of]) => `${of.objects} ${name} (${mib(of.bytes)})`).join(', '));
    row('should not be so', `${missing.length} missing, ${overdue.length} overdue, ${unknown.length} unknown`);
  }
  for (const [message, { level, times, last }] of logProblems)
    row(`log, ${level}`, `${times} × ${message}\n    ${last}`);
  lines.push('', failures.length === 0 ? 'nothing was lost, doubled or left behind' : `${failures.length} FAILURES`);
  for (const failure of failures) lines.push(`  ${failure}`);
  return `${lines.join('\n')}\n`;
}

/** The result for programs. */
export function reportJson(result: SoakResult): string {
  return `${JSON.stringify(result, (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value), 2)}\n`;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
