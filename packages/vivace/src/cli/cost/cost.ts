import { VivaceError } from '@vivace/kernel';
import type { CommandRun } from '../command.ts';
import { numbersOf, PRICES, WORK } from './cost-flags.ts';
import { monthlyCost, totalDollars, type Workload } from './cost-model.ts';
import measured from './measured-requests.json' with { type: 'json' };
import { PRICES_OF } from './prices.ts';

/** `vivace cost` */
export const run: CommandRun = async ({ flags, output }) => {
  const log = flags.get('log') ?? 'bucket';
  if (log !== 'bucket' && log !== 'disk') throw usage(`--log must be bucket or disk: '${log}'`);
  const work: Workload = { ...numbersOf(WORK, flags), log };
  work.cachedShare /= 100;
  const prices = numbersOf(PRICES, flags);
  const items = monthlyCost(work, measured, prices);
  const dollars = totalDollars(items);
  output.table([
    ['A MONTH', 'PUT', 'LIST', 'GET', 'GIB', 'DOLLARS'],
    ...items.map(({ name, requests: { put, list, get }, gib, dollars: own }) => [
      name,
      ...[put, list, get, gib].map((count) => (count === 0 ? '' : Math.round(count).toLocaleString('en'))),
      own.toFixed(2),
    ]),
    ['all', '', '', '', '', dollars.toFixed(2)],
  ]);
  const millions = (work.spansPerSecond * 730 * 3600) / 1e6;
  output.line('');
  if (millions > 0) output.line(`${(dollars / millions).toFixed(4)} dollars for a million spans`);
  output.line(`prices: ${PRICES_OF}, unless flags say otherwise; traffic out of the region and machines are not in it`);
  output.line(`requests: counted on ${measured.date} by ${measured.command}`);
  output.value({ work, prices, items, dollars, measured: { date: measured.date, command: measured.command } });
  return 0;
};

function usage(message: string): VivaceError {
  return new VivaceError('invalid', 'usage', message);
}
