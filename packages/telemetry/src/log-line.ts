const HEAD = new Set(['level', 'time', 'msg', 'err']);

/** One JSON log line as a person reads it: `12:00:01.123 INFO  message key=value`, an error's stack below. */
export function formatLogLine(line: string): string {
  const fields = parse(line);
  if (fields === undefined) return line;
  const time = textOf(fields.get('time')).slice(11, 23);
  const level = textOf(fields.get('level')).toUpperCase().padEnd(5);
  let out = `${time} ${level} ${textOf(fields.get('msg'))}`;
  for (const [key, value] of fields) {
    if (!HEAD.has(key)) out += ` ${key}=${textOf(value)}`;
  }
  const error = fields.get('err');
  if (isRecord(error)) out += `\n  ${textOf(error.stack ?? error.message).replaceAll('\n', '\n  ')}`;
  return `${out}\n`;
}

function parse(line: string): Map<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
