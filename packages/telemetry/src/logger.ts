import { type DestinationStream, type Logger, pino } from 'pino';
import { formatLogLine } from './log-line.ts';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto` is `text` where a person reads (a terminal) and `json` everywhere else. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Where lines go; default is stderr, so that stdout stays the program's own. */
  stream?: LogStream;
}

export interface LogStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * The logger of a process. Lines are written at once and not buffered: what a process says before it dies
 * is what people need. Nothing is logged per span or per request at `info`, so the cost does not matter.
 */
export function createLogger({ level, format, stream = process.stderr }: LoggerOptions): Logger {
  const text = format === 'text' || (format === 'auto' && stream.isTTY === true);
  const destination: DestinationStream = { write: (line) => void stream.write(text ? formatLogLine(line) : line) };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
