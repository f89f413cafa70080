import { utf8Encode } from '@vivace/kernel';
import { type ByteWriter, decimalDigits, varintLength } from './byte-writer.ts';

/** A value as the catalogue writes it: text, a whole number, `{ double }` or a truth value. */
export type Value = string | number | boolean | { double: number };

/** Field numbers (with wire type 2) under which messages hold attributes. */
export const ATTRIBUTE_TAG = { span: 0x4a, event: 0x1a, link: 0x22, resource: 0x0a, scope: 0x1a } as const;

/** A message's bytes behind its tag and length. */
export function message(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const out: number[] = [tag];
  let rest = length;
  while (rest > 127) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Uint8Array.from([...out, ...parts.flatMap((part) => [...part])]);
}

/** A string field: tag, length, UTF-8. */
export function text(tag: number, value: string): Uint8Array {
  return message(tag, utf8Encode(value));
}

/** One attribute, complete with the tag of the message it stands in. Slow: for the catalogue, once at start. */
export function attribute(tag: number, key: string, value: Value): Uint8Array {
  return message(tag, text(0x0a, key), message(0x12, anyValue(value)));
}

function anyValue(value: Value): Uint8Array {
  if (typeof value === 'string') return text(0x0a, value);
  if (typeof value === 'boolean') return Uint8Array.of(0x10, value ? 1 : 0);
  if (typeof value === 'number') return Uint8Array.of(0x18, ...varintBytes(value));
  const bytes = new Uint8Array(9);
  bytes[0] = 0x21;
  new DataView(bytes.buffer).setFloat64(1, value.double, true);
  return bytes;
}

function varintBytes(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) | 128);
  }
}

/** A key ready to be put before values made on the fly: its field in a KeyValue. */
export function attributeKey(key: string): Uint8Array {
  return text(0x0a, key);
}

/** Opens `key = "…"` whose text has `length` bytes; the caller writes exactly those next. */
function beginText(writer: ByteWriter, tag: number, key: Uint8Array, length: number): void {
  const inner = 1 + varintLength(length) + length;
  writer.byte(tag);
  writer.varint(key.length + 1 + varintLength(inner) + inner);
  writer.put(key);
  writer.byte(0x12);
  writer.varint(inner);
  writer.byte(0x0a);
  writer.varint(length);
}

/** `key = "<prefix><number>"` */
export function writeNumbered(
  writer: ByteWriter,
  tag: number,
  key: Uint8Array,
  prefix: Uint8Array,
  value: number,
): void {
  beginText(writer, tag, key, prefix.length + decimalDigits(value));
  writer.put(prefix);
  writer.decimal(value);
}

/** `key = "<prefix><16 hex digits>"` */
export function writeIdentified(
  writer: ByteWriter,
  tag: number,
  key: Uint8Array,
  prefix: Uint8Array,
  high: number,
  low: number,
): void {
  beginText(writer, tag, key, prefix.length + 16);
  writer.put(prefix);
  writer.hex32(high);
  writer.hex32(low);
}

/** `key = <whole number>` */
export function writeInteger(writer: ByteWriter, tag: number, key: Uint8Array, value: number): void {
  const inner = 1 + varintLength(value);
  writer.byte(tag);
  writer.varint(key.length + 2 + inner);
  writer.put(key);
  writer.byte(0x12);
  writer.byte(inner);
  writer.byte(0x18);
  writer.varint(value);
}

export function writeDouble(writer: ByteWriter, tag: number, key: Uint8Array, value: number): void {
  writer.byte(tag);
  writer.varint(key.length + 11);
  writer.put(key);
  writer.byte(0x12);
  writer.byte(9);
  writer.byte(0x21);
  writer.double(value);
}

export function writeBoolean(writer: ByteWriter, tag: number, key: Uint8Array, value: boolean): void {
  writer.byte(tag);
  writer.varint(key.length + 4);
  writer.put(key);
  writer.byte(0x12);
  writer.byte(2);
  writer.byte(0x10);
  writer.byte(value ? 1 : 0);
}
