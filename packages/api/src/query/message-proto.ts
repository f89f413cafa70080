import { ProtoWriter, WIRE_FIXED64, WIRE_VARINT } from '@vivace/otlp';
import { type AnySchema, type Field, isDefault, type Schema } from './message.ts';

/** A message in the wire format of protobuf. */
export function messageToProto<T extends object>(schema: Schema<T>, message: T): Uint8Array {
  const out = new ProtoWriter(256);
  writeObject(out, schema as AnySchema, message as Readonly<Record<string, unknown>>);
  return out.toBytes();
}

function writeObject(out: ProtoWriter, schema: AnySchema, message: Readonly<Record<string, unknown>>): void {
  for (const [name, field] of Object.entries(schema)) {
    const value = message[name];
    if (value === undefined || (field.always !== true && isDefault(value, field))) continue;
    if (field.repeated === true) for (const item of value as unknown[]) writeField(out, item, field);
    else writeField(out, value, field);
  }
}

function writeField(out: ProtoWriter, value: unknown, { number, type }: Field): void {
  if (typeof type === 'object') {
    if ('names' in type) {
      out.tag(number, WIRE_VARINT);
      out.varint(type.names.indexOf(value as string));
    } else if ('message' in type) {
      writeNested(out, number, type.message, value);
    } else {
      for (const [key, item] of value as Map<string, unknown>) {
        const entry = out.open(number);
        out.stringField(1, key);
        writeNested(out, 2, type.mapTo, item);
        out.close(entry);
      }
    }
    return;
  }
  switch (type) {
    case 'string':
      out.stringField(number, value as string);
      return;
    case 'double':
      out.tag(number, WIRE_FIXED64);
      out.double(value as number);
      return;
    case 'bool':
      out.tag(number, WIRE_VARINT);
      out.varint(value === true ? 1 : 0);
      return;
    case 'uint32':
      out.tag(number, WIRE_VARINT);
      out.varint(value as number);
      return;
    case 'uint64':
    case 'int64': {
      const bits = BigInt.asUintN(64, BigInt(value as bigint | number));
      out.tag(number, WIRE_VARINT);
      out.varint64(Number(bits & 0xffffffffn), Number(bits >> 32n));
      return;
    }
  }
}

function writeNested(out: ProtoWriter, number: number, schema: AnySchema, value: unknown): void {
  const nested = out.open(number);
  writeObject(out, schema, value as Readonly<Record<string, unknown>>);
  out.close(nested);
}
