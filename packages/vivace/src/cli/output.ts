import type { LogStream } from '@vivace/telemetry';

/** Results go to stdout, as text or, with `--json`, as JSON; everything else to stderr. */
export interface Output {
  readonly json: boolean;
  /** Text of a result, without `--json`. */
  line(text: string): void;
  /** Rows of a result, without `--json`: columns side by side, the first row is their names. */
  table(rows: readonly (readonly string[])[]): void;
  /** The result, with `--json`. 64-bit numbers are decimal texts, as in OTLP's JSON. */
  value(value: unknown): void;
  /** A result that is already as it is to be written. */
  raw(text: string): void;
  /** What a person should know, on stderr. */
  note(text: string): void;
}

export function createOutput(stdout: LogStream, stderr: LogStream, json: boolean): Output {
  return {
    json,
    line: (text) => {
      if (!json) stdout.write(`${text}\n`);
    },
    table: (rows) => {
      if (!json) for (const line of alignRows(rows)) stdout.write(`${line}\n`);
    },
    value: (value) => {
      if (json) stdout.write(`${JSON.stringify(value, plain, 2)}\n`);
    },
    raw: (text) => void stdout.write(text),
    note: (text) => void stderr.write(`${text}\n`),
  };
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** Numbers to the right, texts to the left. */
function alignRows(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = widths.map((_, i) => rows.slice(1).every((row) => /^(-?[\d.,]+( [A-Za-z%]+)?|)$/.test(row[i] ?? '')));
  return rows.map((row) =>
    row
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Seconds of a time in nanoseconds since 1970; a time that no calendar has, as its number. */
export function formatTime(nanos: bigint): string {
  const date = new Date(Number(nanos / 1_000_000n));
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 ? `${nanos}` : date.toISOString();
}

/** One line of what a store or a sender wrote: control characters would move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
