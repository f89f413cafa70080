import { VivaceError } from '@vivace/kernel';

export interface TimeRange {
  startSeconds?: number;
  endSeconds?: number;
}

const MAX_UINT32 = 4294967295;

/**
 * `start` and `end` of a trace lookup in Unix seconds; absent, empty and 0 mean no bound.
 * Throws `invalid` for what is not such a number, and for an end that is not after the start.
 */
export function parseTimeRange(start: string | undefined, end: string | undefined): TimeRange {
  const startSeconds = parseSeconds('start', start);
  const endSeconds = parseSeconds('end', end);
  if (startSeconds !== undefined && endSeconds !== undefined && endSeconds <= startSeconds) {
    throw new VivaceError(
      'invalid',
      'time-range',
      `http parameter start must be before end. received start=${startSeconds} end=${endSeconds}`,
    );
  }
  return {
    ...(startSeconds === undefined ? {} : { startSeconds }),
    ...(endSeconds === undefined ? {} : { endSeconds }),
  };
}

function parseSeconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const seconds = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_UINT32)) {
    throw new VivaceError(
      'invalid',
      'time-parameter',
      `invalid ${name}: write Unix seconds, a whole number up to ${MAX_UINT32}, received '${text.slice(0, 40)}'`,
    );
  }
  return seconds === 0 ? undefined : seconds;
}
