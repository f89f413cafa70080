import { utf8Encode } from '@vivace/kernel';
import type { TraceMatch, TracePosition } from '../answer.ts';
import { AttributeTypes } from './attribute-types.ts';
import { searchTraceJson } from './search-json.ts';

/** How traces are to be written where they are found. */
export interface WrittenForm {
  /** As in `SearchTraceOptions`. */
  spansets: boolean;
}

/** The traces of an answer in their order, as JSON. */
export interface WrittenTraces {
  /** Objects with commas between them, one or more. */
  json: Uint8Array[];
  count: number;
  last: TracePosition;
}

/** Characters of a piece, about. */
const PIECE_LENGTH = 256 * 1024;

/** Undefined where there are none. */
export function writeTraces(matches: readonly TraceMatch[], { spansets }: WrittenForm): WrittenTraces | undefined {
  const last = matches.at(-1);
  if (last === undefined) return undefined;
  const types = new AttributeTypes();
  types.settle(matches);
  const json: Uint8Array[] = [];
  let piece = '';
  for (const match of matches) {
    const comma = json.length === 0 && piece === '' ? '' : ',';
    piece += comma + searchTraceJson(match, { types, spansets });
    if (piece.length < PIECE_LENGTH) continue;
    json.push(utf8Encode(piece));
    piece = '';
  }
  if (piece !== '') json.push(utf8Encode(piece));
  const { startUnixNano, traceId } = last;
  return { json, count: matches.length, last: { startUnixNano, traceId: traceId.slice() } };
}
