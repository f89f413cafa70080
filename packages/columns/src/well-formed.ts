import type { Source } from './source.ts';
import { MAX_SHORT_BYTES } from './wire-scanner.ts';

/**
 * Whether messages that are kept as bytes are what they should be, checked once when they arrive: whoever
 * reads them later may trust their structure. Unknown fields are fine, wrong wire types of known ones are not.
 */

/** Nesting of arrays and maps in attribute values: a map costs three messages a level, and decoders stop at 100. */
export const MAX_DEPTH = 30;

/** A ResourceSpans message without its scope_spans. */
export function checkResource(source: Source, from: number, end: number): boolean {
  return checkOwner(source, from, end, (field, wire, at, to) => {
    switch (field) {
      case 1:
        return wire === 2 && checkKeyValue(source, at, to, MAX_DEPTH);
      case 2:
        return wire === 0;
      case 3:
        // An EntityRef: four fields of text.
        return wire === 2 && checkMessage(source, at, to, (f, w) => f > 4 || w === 2);
      default:
        return true;
    }
  });
}

/** A ScopeSpans message without its spans. */
export function checkScope(source: Source, from: number, end: number): boolean {
  return checkOwner(source, from, end, (field, wire, at, to) => {
    switch (field) {
      case 1:
      case 2:
        return wire === 2;
      case 3:
        return wire === 2 && checkKeyValue(source, at, to, MAX_DEPTH);
      case 4:
        return wire === 0;
      default:
        return true;
    }
  });
}

/** Resource or scope, and schema_url; what is of it must be elsewhere. */
function checkOwner(source: Source, from: number, end: number, check: FieldCheck): boolean {
  return checkMessage(source, from, end, (field, wire, at, to) => {
    if (field === 1) return wire === 2 && checkMessage(source, at, to, check);
    return field !== 2 && (field !== 3 || wire === 2);
  });
}

export function checkKeyValue(source: Source, from: number, end: number, depth: number): boolean {
  return checkMessage(source, from, end, (field, wire, at, to) => {
    if (field === 1) return wire === 2;
    if (field === 2) return wire === 2 && checkAnyValue(source, at, to, depth);
    return true;
  });
}

function checkAnyValue(source: Source, from: number, end: number, depth: number): boolean {
  if (depth === 0) return false;
  return checkMessage(source, from, end, (field, wire, at, to) => {
    switch (field) {
      case 1:
      case 7:
        return wire === 2;
      case 2:
      case 3:
        return wire === 0;
      case 4:
        return wire === 1;
      case 5:
        return (
          wire === 2 &&
          checkMessage(source, at, to, (f, w, a, t) => f !== 1 || (w === 2 && checkAnyValue(source, a, t, depth - 1)))
        );
      case 6:
        return (
          wire === 2 &&
          checkMessage(source, at, to, (f, w, a, t) => f !== 1 || (w === 2 && checkKeyValue(source, a, t, depth - 1)))
        );
      default:
        return true;
    }
  });
}

type FieldCheck = (field: number, wire: number, from: number, to: number) => boolean;

/** Walks the fields of a message; false where they do not add up or `check` says so. */
function checkMessage(source: Source, from: number, end: number, check: FieldCheck): boolean {
  const { bytes } = source;
  let at = from;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (at >= end) return -1;
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      // The tenth byte has room for one bit.
      if (i === 9 && byte > 1) return -1;
      if (byte < 128) return value;
      scale *= 128;
    }
    return -1;
  };
  while (at < end) {
    const tagAt = at;
    const tag = varint();
    const wire = tag % 8;
    const field = Math.floor(tag / 8);
    if (tag < 8 || field > 0x1fffffff || at - tagAt > MAX_SHORT_BYTES) return false;
    let start = at;
    if (wire === 0) {
      if (varint() < 0) return false;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (length < 0 || at - start > MAX_SHORT_BYTES) return false;
      start = at;
      at += length;
    } else return false;
    if (at > end || !check(field, wire, start, at)) return false;
  }
  return true;
}
