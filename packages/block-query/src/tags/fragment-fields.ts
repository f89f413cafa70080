import type { DictionaryView } from '@vivace/columns';
import { EVENT, KEY_VALUE, LINK, ProtoReader, SPAN, WIRE_BYTES } from '@vivace/otlp';
import type { FragmentKind } from '../messages.ts';

/** What lies in the overflow, without making objects of it: most fragments are not the ones that are looked for. */

const ATTRIBUTES: Readonly<Record<FragmentKind, number>> = {
  span: SPAN.attributes,
  event: EVENT.attributes,
  link: LINK.attributes,
};

/** Calls back with the place of the key of each attribute of a fragment. */
export function eachKey(
  kind: FragmentKind,
  { bytes, offsets }: DictionaryView,
  code: number,
  use: (from: number, to: number) => void,
): void {
  eachField(bytes, offsets[code] as number, offsets[code + 1] as number, (field, from, to) => {
    if (field !== ATTRIBUTES[kind]) return;
    let keyFrom = from;
    let keyTo = from;
    eachField(bytes, from, to, (inner, innerFrom, innerTo) => {
      if (inner !== KEY_VALUE.key) return;
      keyFrom = innerFrom;
      keyTo = innerTo;
    });
    use(keyFrom, keyTo);
  });
}

/** Whether a fragment has a length-delimited field. */
export function hasField({ bytes, offsets }: DictionaryView, code: number, wanted: number): boolean {
  let found = false;
  eachField(bytes, offsets[code] as number, offsets[code + 1] as number, (field) => {
    if (field === wanted) found = true;
  });
  return found;
}

/** Calls back with each length-delimited field. */
function eachField(
  bytes: Uint8Array,
  start: number,
  end: number,
  use: (field: number, from: number, to: number) => void,
): void {
  const reader = new ProtoReader(bytes, start, end);
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if ((tag & 7) !== WIRE_BYTES) {
      reader.skip(tag & 7);
      continue;
    }
    const length = reader.length();
    const from = reader.at;
    reader.at = from + length;
    use(tag >>> 3, from, from + length);
  }
}
