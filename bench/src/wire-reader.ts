import { dataError } from '@vivace/kernel';

/** One field of a protobuf message; `start` and `end` enclose its payload. */
export interface Field {
  number: number;
  wire: number;
  start: number;
  end: number;
}

/** The fields of the message in `bytes[start, end)`. Throws `data` where they are not well-formed. */
export function* fields(bytes: Uint8Array, start = 0, end = bytes.length): Generator<Field> {
  for (let at = start; at < end; ) {
    const tag = varintAt(bytes, at, end);
    at = tag.next;
    const number = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    let from = at;
    if (wire === 0) at = varintAt(bytes, at, end).next;
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varintAt(bytes, at, end);
      from = length.next;
      at = from + length.value;
    } else throw dataError('bad-wire-type', `a protobuf field has wire type ${wire}`);
    if (at > end || number === 0)
      throw dataError('bad-field', `a protobuf field runs over its message at byte ${from}`);
    yield { number, wire, start: from, end: at };
  }
}

/** A varint as a number, exact up to 2^53; larger ones are rounded (see `varintText` for exact digits). */
export function varintAt(bytes: Uint8Array, start: number, end: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 10; at++) {
    const byte = bytes[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, next: at + 1 };
    scale *= 128;
  }
  throw dataError('bad-varint', `a protobuf varint does not end at byte ${start}`);
}

/** The exact unsigned value of a varint, in decimal, its encoding's length aside. */
export function varintText(bytes: Uint8Array, start: number, end: number): string {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt((bytes[at] as number) & 127);
  return BigInt.asUintN(64, value).toString();
}
