import { VivaceError } from '@vivace/kernel';

/** Queries longer than this are not read: Tempo's bound. */
const MAX_QUERY_LENGTH = 128 * 1024;
/** Longer values are cut in messages. */
const TOLD_LENGTH = 40;
/** What a cursor that came from here can be: it stands in a header. */
const CURSOR = /^[\x21-\x7e]{1,2048}$/;

/** Parameters of a request by name, of the same name the first; empty is absent. */
export interface Parameters {
  get(name: string): string | undefined;
  /** Every name and value, in order. */
  entries(): Iterable<[string, string]>;
}

/** The parameters of a URL. Names like `__proto__` are names like others. */
export function parametersOf(url: string): Parameters {
  const { searchParams } = new URL(url);
  return {
    get: (name) => searchParams.get(name) || undefined,
    entries: () => searchParams.entries(),
  };
}

/** An error in a parameter; `advice` is what to do, on a line of its own. */
export function invalidParameter(message: string, advice: string): VivaceError {
  return new VivaceError('invalid', 'query-parameter', `${message}\n${advice}`);
}

/** A value as messages tell it. */
export function told(text: string): string {
  return text.length > TOLD_LENGTH ? `${text.slice(0, TOLD_LENGTH)}…` : text;
}

/** A whole number of at most 15 digits; undefined for anything else. */
export function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A whole number between 0 and `max`; `fallback` when absent. */
export function countParameter(
  parameters: Parameters,
  name: string,
  { max, fallback }: { max: number; fallback: number },
): number {
  const text = parameters.get(name);
  if (text === undefined) return fallback;
  const count = wholeNumber(text);
  if (count === undefined) {
    throw invalidParameter(
      `invalid ${name}: must be a whole number, received '${told(text)}'`,
      `write a number from 0 to ${max}, or leave ${name} away`,
    );
  }
  if (count > max) throw invalidParameter(`${name} ${count} exceeds max ${max}`, `ask for at most ${max}`);
  return count;
}

/** The text of a query, when it is not too long to be read. */
export function checkQueryLength(query: string): string {
  if (query.length > MAX_QUERY_LENGTH) {
    throw invalidParameter(
      `TraceQL expression exceeds the configured maximum size of ${MAX_QUERY_LENGTH} bytes: received ${query.length}`,
      'write a shorter query',
    );
  }
  return query;
}

/** A cursor as an answer gave it. */
export function checkCursor(cursor: string | undefined): string | undefined {
  if (cursor !== undefined && !CURSOR.test(cursor)) {
    throw invalidParameter(
      'invalid cursor: it is not one of this API',
      'give the text of the header X-Vivace-Cursor of the answer before, or no cursor for the first page',
    );
  }
  return cursor;
}
