const DURATION_UNITS: readonly (readonly [string, number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

/** Read and not written: other programs' durations end at hours. */
const DAY_MS = 86_400_000;

const SIZE_UNITS: readonly (readonly [string, number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['GB', 1000 ** 3],
  ['MB', 1000 ** 2],
  ['kB', 1000],
  ['B', 1],
];

/** `5m`, `20ms`, `1h30m`, `14d` in milliseconds; undefined when it is no duration. A bare number is none, except 0. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(d|h|ms|m|s))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)(d|h|ms|m|s)/g)) {
    const factor = unit === 'd' ? DAY_MS : DURATION_UNITS.find(([name]) => name === unit)?.[1];
    total += Number(digits) * (factor ?? Number.NaN);
  }
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

/** Milliseconds as `parseDuration` reads them. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let left = ms;
  let out = '';
  for (const [unit, factor] of DURATION_UNITS) {
    const count = unit === 'ms' ? left : Math.floor(left / factor);
    if (count > 0) out += `${count}${unit}`;
    left -= count * factor;
  }
  return out;
}

/** `64MiB`, `128MB`, `1.5GiB` or a plain number of bytes; undefined when it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (!match) return undefined;
  const unit = match[2] === '' ? 'B' : match[2];
  const factor = SIZE_UNITS.find(([name]) => name.toLowerCase() === unit?.toLowerCase())?.[1];
  if (factor === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes in the largest unit that says them exactly. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0';
  const [unit, factor] = SIZE_UNITS.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  return `${bytes / factor}${unit}`;
}
