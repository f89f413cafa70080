import { type AnySchema, type Field, isDefault, type Schema } from './message.ts';

/**
 * A message in protobuf's JSON mapping as Tempo writes it: 64-bit integers as strings, defaults left out.
 * https://protobuf.dev/programming-guides/json/
 */
export function messageToJson<T extends object>(schema: Schema<T>, message: T): string {
  return objectToJson(schema as AnySchema, message as Readonly<Record<string, unknown>>);
}

/** Characters of a piece, about: a buffer costs more than a small item. */
const PIECE_LENGTH = 16 * 1024;

/**
 * `{"name":[…],…}` in pieces of whole items, so that a long list is never a second time in memory. `rest` is the
 * JSON of an object with the fields that follow; without items the list is `[]`, or absent if `omitEmpty`.
 */
export function listToJsonPieces<T extends object>(
  name: string,
  schema: Schema<T>,
  items: Iterable<T>,
  options: { rest: string; omitEmpty?: boolean },
): Generator<Uint8Array> {
  return listOfJsonPieces(name, items, (item) => messageToJson(schema, item), options);
}

/** The same of items that `write` makes JSON of. */
export function* listOfJsonPieces<T>(
  name: string,
  items: Iterable<T>,
  write: (item: T) => string,
  { rest, omitEmpty = false }: { rest: string; omitEmpty?: boolean },
): Generator<Uint8Array> {
  let piece = `{${JSON.stringify(name)}:[`;
  let any = false;
  for (const item of items) {
    piece += any ? `,${write(item)}` : write(item);
    any = true;
    if (piece.length < PIECE_LENGTH) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  if (!any && omitEmpty) yield Buffer.from(rest);
  else yield Buffer.from(`${piece}${endOfList(rest)}`);
}

/** The same of items that have been written, with commas between them. */
export function* writtenListPieces(
  name: string,
  items: Iterable<Uint8Array>,
  { rest }: { rest: string },
): Generator<Uint8Array> {
  yield Buffer.from(`{${JSON.stringify(name)}:[`);
  yield* items;
  yield Buffer.from(endOfList(rest));
}

function endOfList(rest: string): string {
  return `]${rest === '{}' ? '' : ','}${rest.slice(1)}`;
}

/** What is needed of a field to write it, worked out once a schema. */
interface Member {
  name: string;
  /** `"name":` */
  label: string;
  field: Field;
  write: (value: unknown) => string;
}

/** What is known of a schema. */
interface Shape {
  members: Member[];
  /** The nested message that was written last, and what was written. */
  last: object | undefined;
  json: string;
}

const shapes = new WeakMap<AnySchema, Shape>();

function shapeOf(schema: AnySchema): Shape {
  let known = shapes.get(schema);
  if (known === undefined) {
    const members: Member[] = Object.entries(schema).map(([name, field]) => {
      const one = writerOf(field);
      return {
        name,
        label: `${JSON.stringify(name)}:`,
        field,
        write: field.repeated === true ? (value) => listToJson(value as unknown[], one) : one,
      };
    });
    known = { members, last: undefined, json: '' };
    shapes.set(schema, known);
  }
  return known;
}

/** A search says the spans of most traces twice, in fields side by side: the same message is written once. */
function nestedToJson(schema: AnySchema, message: Readonly<Record<string, unknown>>): string {
  const shape = shapeOf(schema);
  if (shape.last === message) return shape.json;
  shape.json = objectToJson(schema, message);
  shape.last = message;
  return shape.json;
}

function objectToJson(schema: AnySchema, message: Readonly<Record<string, unknown>>): string {
  let json = '{';
  for (const { name, label, field, write } of shapeOf(schema).members) {
    const value = message[name];
    if (value === undefined || (field.always !== true && isDefault(value, field))) continue;
    json += json === '{' ? label + write(value) : `,${label}${write(value)}`;
  }
  return `${json}}`;
}

function listToJson(items: readonly unknown[], write: (value: unknown) => string): string {
  let json = '[';
  for (let i = 0; i < items.length; i++) json += i === 0 ? write(items[i]) : `,${write(items[i])}`;
  return `${json}]`;
}

function writerOf({ type }: Field): (value: unknown) => string {
  if (typeof type === 'object') {
    if ('names' in type) return JSON.stringify;
    if ('message' in type) return (value) => nestedToJson(type.message, value as Record<string, unknown>);
    return (value) => {
      const entries = [...(value as Map<string, Record<string, unknown>>)];
      return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${objectToJson(type.mapTo, item)}`).join(',')}}`;
    };
  }
  if (type === 'uint64' || type === 'int64') return (value) => `"${String(value as bigint | number)}"`;
  // NaN and the infinities have no other form.
  if (type === 'double') {
    return (value) =>
      Number.isFinite(value) ? String(Object.is(value, -0) ? 0 : value) : `"${String(value as number)}"`;
  }
  return JSON.stringify;
}
