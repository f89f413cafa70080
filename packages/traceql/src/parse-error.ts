import { VivaceError } from '@vivace/kernel';
import type { Place } from './ast.ts';

/** Characters of a line that are drawn on each side of the place. */
const DRAWN_AROUND = 60;

/** The text is not TraceQL: `invalid TraceQL query: parse error at line 1, col 3: …` and a drawing of the place. */
export function syntaxError(source: string, place: Place, message: string): VivaceError {
  const before = source.slice(0, place.from);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = countOf(before, '\n') + 1;
  const column = Array.from(source.slice(lineStart, place.from)).length + 1;
  return invalid(`parse error at line ${line}, col ${column}: ${message}`, source, place);
}

/** The query reads, but means nothing or what is not supported: `invalid TraceQL query: …` and a drawing of the place. */
export function meaningError(source: string, place: Place, message: string): VivaceError {
  return invalid(message, source, place);
}

function invalid(message: string, source: string, place: Place): VivaceError {
  return new VivaceError('invalid', 'traceql', `invalid TraceQL query: ${message}\n${drawing(source, place)}`);
}

/** The line of the place, cut where it is long, and under it a mark at its first character. */
function drawing(source: string, { from }: Place): string {
  const lineStart = source.lastIndexOf('\n', from - 1) + 1;
  const newline = source.indexOf('\n', from);
  const lineEnd = newline === -1 ? source.length : newline;
  const start = Math.max(lineStart, from - DRAWN_AROUND);
  const end = Math.min(lineEnd, from + DRAWN_AROUND);
  const left = `${start > lineStart ? '…' : ''}${printable(source.slice(start, from))}`;
  const right = `${printable(source.slice(from, end))}${end < lineEnd ? '…' : ''}`;
  return `  ${left}${right}\n  ${' '.repeat(Array.from(left).length)}^`;
}

/** One column a character: what is not seen would move the mark, or the cursor of a terminal. */
function printable(text: string): string {
  return text.toWellFormed().replaceAll(/\p{C}/gu, ' ');
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count++;
  return count;
}
