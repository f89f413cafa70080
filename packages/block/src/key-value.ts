import type { AttributeType } from '@vivace/columns';
import type { ByteWriter } from './byte-writer.ts';
import { BYTES, FIXED64, FieldWalker, VARINT } from './fields.ts';

// OTLP KeyValue { key = 1, value = 2 } and AnyValue { string = 1, bool = 2, int = 3, double = 4, array = 5,
// kvlist = 6, bytes = 7 }, between wire form and the entries of attribute columns.

/** An attribute read from its wire form. `type` undefined: its value has no column (array, map, bytes, empty). */
export interface ScannedAttribute {
  key: Uint8Array;
  type: AttributeType | undefined;
  /** The value as a dictionary entry of its type. */
  value: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Reads the KeyValue at `bytes[from … to - 1]`; a later field wins over an earlier one. */
export function scanKeyValue(bytes: Uint8Array, from: number, to: number): ScannedAttribute {
  const scanned: ScannedAttribute = { key: NO_BYTES, type: undefined, value: NO_BYTES };
  const walker = new FieldWalker(bytes, from, to);
  while (walker.next()) {
    if (walker.wire !== BYTES) continue;
    if (walker.field === 1) scanned.key = walker.content();
    else if (walker.field === 2) scanValue(scanned, bytes, walker.from, walker.to);
  }
  return scanned;
}

function scanValue(into: ScannedAttribute, bytes: Uint8Array, from: number, to: number): void {
  const walker = new FieldWalker(bytes, from, to);
  while (walker.next()) {
    const { field, wire } = walker;
    if (field === 1 && wire === BYTES) {
      into.type = 'string';
      into.value = walker.content();
    } else if (field === 2 && wire === VARINT) {
      into.type = 'bool';
      into.value = Uint8Array.of(walker.varintBytes().some((byte) => byte !== 0) ? 1 : 0);
    } else if (field === 3 && wire === VARINT) {
      into.type = 'int';
      into.value = walker.varintBytes();
    } else if (field === 4 && wire === FIXED64) {
      into.type = 'double';
      into.value = walker.content();
    } else if (field >= 5 && field <= 7) {
      into.type = undefined;
      into.value = NO_BYTES;
    }
  }
}

/** Appends field `tag` (number << 3 | 2) with the KeyValue of a column's entry. */
export function writeKeyValue(
  out: ByteWriter,
  tag: number,
  key: Uint8Array,
  type: AttributeType,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const length = to - from;
  const any = type === 'string' ? 1 + varintLength(length) + length : type === 'bool' ? 2 : type === 'double' ? 9 : 0;
  const low = type === 'int' ? word(bytes, from) : 0;
  const high = type === 'int' ? word(bytes, from + 4) : 0;
  const anyLength = type === 'int' ? 1 + varint64Length(low, high) : any;
  const body = 1 + varintLength(key.length) + key.length + 1 + varintLength(anyLength) + anyLength;
  out.u8(tag);
  out.varint(body);
  out.u8(0x0a);
  out.block(key);
  out.u8(0x12);
  out.varint(anyLength);
  switch (type) {
    case 'string':
      out.u8(0x0a);
      out.varint(length);
      out.bytes(bytes.subarray(from, to));
      return;
    case 'bool':
      out.u8(0x10);
      out.u8(bytes[from] as number);
      return;
    case 'int':
      out.u8(0x18);
      out.varint64(low, high);
      return;
    case 'double':
      out.u8(0x21);
      out.bytes(bytes.subarray(from, to));
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++;
  return length;
}

function varint64Length(low: number, high: number): number {
  if (high === 0) return varintLength(low);
  return Math.ceil((64 - Math.clz32(high)) / 7);
}
