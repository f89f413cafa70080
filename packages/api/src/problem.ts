import { type ErrorKind, toVivaceError, type VivaceError } from '@vivace/kernel';

interface Status {
  status: number;
  /** What a person can do when the message itself cannot know; appended on a line of its own. */
  advice: string;
}

/** HTTP status of every kind of error, as Tempo's clients understand them. 499: the client went away. */
const table: Record<ErrorKind, Status> = {
  invalid: { status: 400, advice: '' },
  unauthorized: { status: 401, advice: '' },
  'not-found': { status: 404, advice: '' },
  conflict: { status: 409, advice: 'try again: somebody else was first' },
  limited: { status: 429, advice: 'try again later, or raise the limit in the configuration' },
  unavailable: { status: 503, advice: 'try again in a moment; /ready says what the server is waiting for' },
  deadline: { status: 504, advice: 'try again; for a trace, start and end narrow what is looked at' },
  canceled: { status: 499, advice: 'the request was given up by its client: send it again if it is still wanted' },
  data: { status: 500, advice: 'stored data could not be understood: the log of the server names the object' },
  internal: { status: 500, advice: 'this is a defect: please report it with the log of the server at this time' },
};

const RETRY_AFTER_SECONDS = 1;

/** The HTTP status of an error. */
export function httpStatus(error: VivaceError): number {
  return table[error.kind].status;
}

/** The answer to a request that failed: plain text, what happened on the first line. */
export function problemResponse(cause: unknown): Response {
  const error = toVivaceError(cause);
  const { status, advice } = table[error.kind];
  const headers = textHeaders();
  if (status === 429 || status === 503) headers.set('retry-after', String(retryAfterSeconds(error)));
  return new Response(advice === '' ? `${error.message}\n` : `${error.message}\n${advice}\n`, { status, headers });
}

/** A plain-text answer with a status of its own. */
export function textResponse(text: string, status = 200): Response {
  return new Response(text, { status, headers: textHeaders() });
}

function textHeaders(): Headers {
  return new Headers({ 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' });
}

function retryAfterSeconds(error: VivaceError): number {
  if (error.retryAfterMs === undefined) return RETRY_AFTER_SECONDS;
  return Math.max(RETRY_AFTER_SECONDS, Math.ceil(error.retryAfterMs / 1000));
}
