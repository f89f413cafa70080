import { createLogger, type Logger } from './logger.ts';

/** A logger that keeps its lines, as objects, for a test to look at. */
export function capturingLogger(): { logger: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) };
  return { logger: createLogger({ level: 'debug', format: 'json', stream }), lines };
}
