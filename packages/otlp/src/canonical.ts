import { concatBytes, dataError } from '@vivace/kernel';
import type { Field, Message } from './messages.ts';
import { ProtoReader, ProtoWriter, WIRE_BYTES } from './wire.ts';

/**
 * Protobuf lets the fields of a message come in any order, repeats apart and single ones more than once: the
 * last scalar wins, messages are merged (protobuf.dev/programming-guides/encoding#last-one-wins). A walk that
 * writes as it reads wants them in order and once. Both functions look at the message's own tags only.
 */

/** Whether the known fields of the message in `reader`, from `at` to `end`, ascend and none that is single repeats. */
export function isCanonical(reader: ProtoReader, message: Message): boolean {
  const start = reader.at;
  let last = 0;
  let canonical = true;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    const field = fieldOf(message, tag);
    if (field !== undefined) {
      if (field.number < last || (field.number === last && !field.repeated) || (message.oneof && last !== 0)) {
        canonical = false;
        break;
      }
      last = field.number;
    }
    reader.skip(tag & 7);
  }
  reader.at = start;
  return canonical;
}

/** The known fields of the message in `reader` in canonical order; unknown ones are left out. */
export function canonicalBytes(reader: ProtoReader, message: Message): Uint8Array {
  const found = new Map<Field, Uint8Array[]>();
  while (reader.at < reader.end) {
    const tag = reader.tag();
    const field = fieldOf(message, tag);
    if (field === undefined) {
      reader.skip(tag & 7);
      continue;
    }
    const value = valueBytes(reader, field);
    const values = found.get(field) ?? [];
    if (field.repeated || field.type === 'message') values.push(value);
    else values[0] = value;
    // Of a oneof the last field stays; one that is set again after another starts anew.
    if (message.oneof && !(found.size === 1 && found.has(field))) found.clear();
    found.set(field, values);
  }
  const out = new ProtoWriter();
  for (const field of [...found.keys()].sort((a, b) => a.number - b.number)) {
    const values = found.get(field) as Uint8Array[];
    for (const value of field.repeated ? values : [concatBytes(values)]) {
      if (field.wire === WIRE_BYTES) out.bytesField(field.number, value);
      else {
        out.tag(field.number, field.wire);
        out.copy(value);
      }
    }
  }
  return out.written();
}

/** The field a tag stands for; undefined if there is none or its wire type is another, which makes it unknown. */
export function fieldOf(message: Message, tag: number): Field | undefined {
  const field = message.byNumber[tag >>> 3];
  return field !== undefined && field.wire === (tag & 7) ? field : undefined;
}

function valueBytes(reader: ProtoReader, field: Field): Uint8Array {
  if (field.wire === WIRE_BYTES) {
    const length = reader.length();
    reader.at += length;
    return reader.bytes.subarray(reader.at - length, reader.at);
  }
  const start = reader.at;
  reader.skip(field.wire);
  if (reader.at > reader.end) throw dataError('protobuf', 'malformed protobuf: a value is cut off');
  return reader.bytes.subarray(start, reader.at);
}
