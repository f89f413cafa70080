import { alignColumns, format } from '../table.ts';
import type { RequestCounts } from './counted-bucket.ts';
import type { MeasuredRequests } from './measured-requests.ts';

/** The table that a person reads. */
export function renderRequests(measured: MeasuredRequests): string {
  const { spans, spansPerSecond, putLatencyMs, perCut, idleHour, log, perMergedBlock, mergedBlocks, blocks } = measured;
  const row = (name: string, { put, list, get }: RequestCounts): string[] => [
    name,
    format(put, 2),
    format(list, 2),
    format(get, 2),
  ];
  const rows = [
    ['', 'PUT', 'LIST', 'GET'],
    row('a block cut and committed', perCut),
    row('a segment of the log', log.perPut),
    row('an hour of nothing', idleHour.data),
    row('an hour of nothing, log', idleHour.log),
    ...(mergedBlocks === 0 ? [] : [row(`a block merged (${mergedBlocks} were)`, perMergedBlock)]),
    ...Object.entries(measured.queries).flatMap(([name, { first, again }]) => [
      row(`${name}, first`, first),
      row(`${name}, again`, again),
    ]),
  ];
  return [
    `${spans} spans at ${spansPerSecond} a second, ${blocks} blocks, puts answered after ${putLatencyMs} ms, ${log.putsPerSecond} segments of the log for ${log.requestsPerSecond} requests a second`,
    '',
    ...alignColumns(rows, new Set([0])),
    '',
  ].join('\n');
}
