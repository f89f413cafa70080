/**
 * Messages as data: a table of fields is all that JSON (message-json.ts) and protobuf (message-proto.ts) need
 * to write the same message, so that the two can never say different things.
 */
type Scalar = 'string' | 'uint32' | 'uint64' | 'int64' | 'double' | 'bool';

export interface Field {
  /** Of protobuf. */
  number: number;
  type: Scalar | { names: readonly string[] } | { message: AnySchema } | { mapTo: AnySchema };
  repeated?: true;
  /** Written although it is the default of its type: members of a `oneof`, and lists that clients expect. */
  always?: true;
}

/** Fields by their JSON names, in the order in which they are written. */
export type Schema<T> = { readonly [K in keyof T]-?: Field };
export type AnySchema = Readonly<Record<string, Field>>;

/** A value is left out when it is the default of its type, as proto3 has it. */
export function isDefault(value: unknown, { type }: Field): boolean {
  if (value === undefined) return true;
  if (typeof type === 'object' && 'names' in type) return value === type.names[0];
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value)) return value.length === 0;
  return value === '' || value === 0 || value === 0n || value === false;
}
