import { VivaceError } from '@vivace/kernel';
import { problemLine } from '../problem-lines.ts';

/** Says that an answer is not whole, and why. Clients that do not know it asked for `partial=true` to get it. */
export const PARTIAL_HEADER = 'X-Vivace-Partial';
/** Gives the next page of a search. */
export const CURSOR_HEADER = 'X-Vivace-Cursor';

/**
 * Why an answer is not whole, undefined for one that is. Throws where something could not be read and the client
 * has not said that a part is enough: nobody takes a part for the whole by mistake.
 */
export function partialReason(problems: readonly string[], partialIsEnough: boolean): string | undefined {
  const line = problemLine(problems);
  if (line === undefined || partialIsEnough) return line;
  throw new VivaceError(
    'unavailable',
    'answer-incomplete',
    `the answer may be incomplete: ${line}\nadd partial=true for the part that could be read; over gRPC the metadata x-vivace-partial: true`,
  );
}

/** A text as the value of a header: one line of printable ASCII. */
export function headerValue(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim();
}
