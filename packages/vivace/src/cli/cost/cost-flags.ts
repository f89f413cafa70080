import { VivaceError } from '@vivace/kernel';
import type { CommandFlag } from '../command.ts';
import type { Workload } from './cost-model.ts';
import measured from './measured-requests.json' with { type: 'json' };
import { type Prices, S3_STANDARD } from './prices.ts';

/** A number that a flag sets. */
interface Quantity {
  flag: string;
  about: string;
  fallback: number;
  min: number;
  max: number;
}

const quantity = (flag: string, fallback: number, about: string, min = 0, max = 1e12): Quantity => ({
  flag,
  about: `${about}; default: ${fallback}`,
  fallback,
  min,
  max,
});

export const WORK = {
  spansPerSecond: quantity('spans-per-second', 1000, 'spans that come in'),
  bytesPerSpan: quantity('bytes-per-span', 35, 'bytes that a span takes in the store', 1),
  tenants: quantity('tenants', 1, 'tenants, taken as equally large', 1),
  ingesters: quantity('ingesters', 1, 'processes that take spans in', 1),
  queriesPerDay: quantity('queries-per-day', 10_000, 'queries, of all kinds alike'),
  blocksPerQuery: quantity('blocks-per-query', 24, 'blocks that a query looks at'),
  cachedShare: quantity('cached', 50, 'percent of queries that ask what a cache still has', 0, 100),
  retentionDays: quantity('retention-days', 14, 'days that spans are kept'),
  cutIntervalSeconds: quantity('cut-interval', 300, 'seconds between cuts of a tenant', 1),
  spansPerRequest: quantity('batch', 500, 'spans in one request of a sender', 1),
  putLatencyMs: quantity('put-latency', measured.putLatencyMs, 'milliseconds that a small put takes', 1),
} as const satisfies Partial<Record<keyof Workload, Quantity>>;

export const PRICES = {
  putPer1000: quantity('price-put', S3_STANDARD.putPer1000, 'dollars for 1,000 PUT or POST'),
  listPer1000: quantity('price-list', S3_STANDARD.listPer1000, 'dollars for 1,000 LIST'),
  getPer1000: quantity('price-get', S3_STANDARD.getPer1000, 'dollars for 1,000 GET or HEAD'),
  gibMonth: quantity('price-storage', S3_STANDARD.gibMonth, 'dollars for a GiB a month'),
} as const satisfies Record<keyof Prices, Quantity>;

/** The flags of `vivace cost`, for the table of commands. */
export const COST_FLAGS: readonly CommandFlag[] = [
  ...Object.values(WORK).map(flagOf),
  { name: 'log', placeholder: 'PLACE', about: 'where the log is, bucket or disk; default: bucket' },
  ...Object.values(PRICES).map(flagOf),
];

function flagOf({ flag, about }: Quantity): CommandFlag {
  return { name: flag, placeholder: 'N', about };
}

/** The numbers that flags set, and for the others what is usual. Throws `invalid`, code `usage`. */
export function numbersOf<Name extends string>(
  quantities: Record<Name, Quantity>,
  flags: ReadonlyMap<string, string>,
): Record<Name, number> {
  const entries = Object.entries<Quantity>(quantities).map(([name, { flag, fallback, min, max }]) => {
    const text = flags.get(flag);
    if (text === undefined) return [name, fallback] as const;
    const value = text.trim() === '' ? Number.NaN : Number(text.replaceAll('_', ''));
    if (!(value >= min && value <= max)) {
      const message = `--${flag} must be a number from ${min} to ${max}: '${text}'`;
      throw new VivaceError('invalid', 'usage', message);
    }
    return [name, value] as const;
  });
  return Object.fromEntries(entries) as Record<Name, number>;
}
