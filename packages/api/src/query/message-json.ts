import { type AnySchema, type Field, isDefault, type Schema } from './message.ts';

/**
 * A message in protobuf's JSON mapping as Tempo writes it: 64-bit integers as strings, defaults left out.
 * https://protobuf.dev/programming-guides/json/
 */
export function messageToJson<T extends object>(schema: Schema<T>, message: T): string {
  return objectToJson(schema as AnySchema, message as Readonly<Record<string, unknown>>);
}

/**
 * `{"name":[…],…}` in pieces, one an item, so that a long list is never a second time in memory. `rest` is the
 * JSON of an object with the fields that follow; without items the list is `[]`, or absent if `omitEmpty`.
 */
export function* listToJsonPieces<T extends object>(
  name: string,
  schema: Schema<T>,
  items: Iterable<T>,
  { rest, omitEmpty = false }: { rest: string; omitEmpty?: boolean },
): Generator<Uint8Array> {
  let before = `{${JSON.stringify(name)}:[`;
  let any = false;
  for (const item of items) {
    yield Buffer.from(before + messageToJson(schema, item));
    before = ',';
    any = true;
  }
  if (!any && omitEmpty) yield Buffer.from(rest);
  else yield Buffer.from(`${any ? '' : before}]${rest === '{}' ? '' : ','}${rest.slice(1)}`);
}

function objectToJson(schema: AnySchema, message: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [name, field] of Object.entries(schema)) {
    const value = message[name];
    if (value === undefined || (field.always !== true && isDefault(value, field))) continue;
    parts.push(`${JSON.stringify(name)}:${fieldToJson(value, field)}`);
  }
  return `{${parts.join(',')}}`;
}

function fieldToJson(value: unknown, field: Field): string {
  if (field.repeated === true) return `[${(value as unknown[]).map((item) => valueToJson(item, field)).join(',')}]`;
  return valueToJson(value, field);
}

function valueToJson(value: unknown, { type }: Field): string {
  if (typeof type === 'object') {
    if ('names' in type) return JSON.stringify(value);
    if ('message' in type) return objectToJson(type.message, value as Record<string, unknown>);
    const entries = [...(value as Map<string, Record<string, unknown>>)];
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${objectToJson(type.mapTo, item)}`).join(',')}}`;
  }
  if (type === 'uint64' || type === 'int64') return `"${String(value as bigint | number)}"`;
  // NaN and the infinities have no other form.
  if (type === 'double' && !Number.isFinite(value)) return `"${String(value as number)}"`;
  return JSON.stringify(value);
}
