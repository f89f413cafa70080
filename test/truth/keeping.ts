import type { Expectation, SentRequest } from './ledger.ts';

/** How long spans are kept, and how long after that they may still be seen. */
export interface Keeping {
  /** Undefined: for ever. */
  retentionMs: number | undefined;
  slackMs: number;
}

/**
 * What of a request an answer must have that was asked for at `askedMs` and came by `answeredMs`. What was sent and
 * not acknowledged may be there; what is just expired may be there.
 */
export function expectationOf(
  { startMs, acknowledgedMs }: SentRequest,
  { retentionMs, slackMs }: Keeping,
  askedMs: number,
  answeredMs: number,
): Expectation {
  if (retentionMs !== undefined && startMs < askedMs - retentionMs - slackMs) return 'never';
  if (acknowledgedMs === undefined || acknowledgedMs >= askedMs) return 'once or never';
  return retentionMs !== undefined && startMs <= answeredMs - retentionMs ? 'once or never' : 'once';
}
