import { utf8Decode } from '@vivace/kernel';
import {
  ANY_VALUE,
  doubleOf,
  EVENT,
  KEY_VALUE,
  LINK,
  MAX_MESSAGE_DEPTH,
  ProtoReader,
  RESOURCE,
  RESOURCE_SPANS,
  SCOPE,
  SCOPE_SPANS,
  SPAN,
  STATUS,
  VALUES,
  WIRE_BYTES,
  WIRE_FIXED64,
  WIRE_VARINT,
} from '@vivace/otlp';
import { NIL, type Value } from './value.ts';

/** Reads values out of OTLP messages: resources and scopes, and what columns do not hold. */

/** Key → value; of a key that is there more than once an array of its values. A Map, because keys come from outside. */
export type Attributes = ReadonlyMap<string, Value>;

export interface ScopeMessage {
  name: string;
  version: string;
  attributes: Attributes;
}

/** What a fragment of a Span, Event or Link message holds. */
export interface FragmentMessage {
  attributes: ReadonlyMap<string, Value[]>;
  name: string | undefined;
  statusMessage: string | undefined;
}

/** Of a ResourceSpans message. */
export function readResource(message: Uint8Array): Attributes {
  const found: [string, Value][] = [];
  eachMessage(message, RESOURCE_SPANS.resource, (resource) => {
    eachMessage(resource, RESOURCE.attributes, (keyValue) => found.push(readKeyValue(keyValue)));
  });
  return gatherAll(found);
}

/** Of a ScopeSpans message. */
export function readScope(message: Uint8Array): ScopeMessage {
  const found: [string, Value][] = [];
  const read = { name: '', version: '' };
  eachMessage(message, SCOPE_SPANS.scope, (scope) => {
    eachMessage(scope, SCOPE.name, (text) => (read.name = utf8Decode(text)));
    eachMessage(scope, SCOPE.version, (text) => (read.version = utf8Decode(text)));
    eachMessage(scope, SCOPE.attributes, (keyValue) => found.push(readKeyValue(keyValue)));
  });
  return { ...read, attributes: gatherAll(found) };
}

export type FragmentKind = 'span' | 'event' | 'link';

const FRAGMENT_FIELDS = {
  span: { attributes: SPAN.attributes, name: SPAN.name, status: SPAN.status },
  event: { attributes: EVENT.attributes, name: EVENT.name, status: 0 },
  link: { attributes: LINK.attributes, name: 0, status: 0 },
} as const;

export function readFragment(kind: FragmentKind, fragment: Uint8Array): FragmentMessage {
  const fields = FRAGMENT_FIELDS[kind];
  const attributes = new Map<string, Value[]>();
  let name: string | undefined;
  let statusMessage: string | undefined;
  eachField(fragment, (field, wire, reader) => {
    if (wire !== WIRE_BYTES || (field !== fields.attributes && field !== fields.name && field !== fields.status)) {
      return false;
    }
    const bytes = take(reader);
    if (field === fields.attributes) {
      const [key, value] = readKeyValue(bytes);
      const known = attributes.get(key);
      if (known === undefined) attributes.set(key, [value]);
      else known.push(value);
    } else if (field === fields.name) name = utf8Decode(bytes);
    else eachMessage(bytes, STATUS.message, (text) => (statusMessage = utf8Decode(text)));
    return true;
  });
  return { attributes, name, statusMessage };
}

/** None: nil; one: itself; more: an array of them, and of the elements of those that are arrays. */
export function gather(values: readonly Value[]): Value {
  if (values.length === 0) return NIL;
  if (values.length === 1) return values[0] as Value;
  return { type: 'array', values: values.flatMap((value) => (value.type === 'array' ? value.values : [value])) };
}

function gatherAll(pairs: readonly [string, Value][]): Attributes {
  const lists = new Map<string, Value[]>();
  for (const [key, value] of pairs) {
    const known = lists.get(key);
    if (known === undefined) lists.set(key, [value]);
    else known.push(value);
  }
  return new Map([...lists].map(([key, values]) => [key, gather(values)]));
}

function readKeyValue(bytes: Uint8Array): [string, Value] {
  let key = '';
  let value = NO_VALUE;
  eachMessage(bytes, KEY_VALUE.key, (text) => (key = utf8Decode(text)));
  eachMessage(bytes, KEY_VALUE.value, (message) => (value = readAnyValue(message, 0)));
  return [key, value];
}

/** An AnyValue that is empty, or missing. */
const NO_VALUE: Value = { type: 'other', text: 'null' };

/** Of the members of the union the last one counts. Maps, bytes and empty values have a text only. */
function readAnyValue(bytes: Uint8Array, depth: number): Value {
  let value = NO_VALUE;
  if (depth > MAX_MESSAGE_DEPTH) return value;
  eachField(bytes, (field, wire, reader) => {
    if (wire === WIRE_VARINT) {
      reader.varint64();
      if (field === ANY_VALUE.boolValue) value = { type: 'bool', value: (reader.lo | reader.hi) !== 0 };
      else if (field === ANY_VALUE.intValue) value = { type: 'int', value: signed(reader.lo, reader.hi) };
    } else if (wire === WIRE_FIXED64) {
      reader.fixed64();
      if (field === ANY_VALUE.doubleValue) value = { type: 'float', value: doubleOf(reader.lo, reader.hi) };
    } else if (wire === WIRE_BYTES) {
      const content = take(reader);
      if (field === ANY_VALUE.stringValue) value = { type: 'string', value: utf8Decode(content) };
      else if (field === ANY_VALUE.bytesValue) value = { type: 'other', text: Buffer.from(content).toString('base64') };
      else if (field === ANY_VALUE.arrayValue) {
        const values: Value[] = [];
        eachMessage(content, VALUES.values, (element) => values.push(readAnyValue(element, depth + 1)));
        value = { type: 'array', values };
      } else if (field === ANY_VALUE.kvlistValue) {
        const entries: string[] = [];
        eachMessage(content, VALUES.values, (entry) => {
          let key = '';
          let inner = NO_VALUE;
          eachMessage(entry, KEY_VALUE.key, (text) => (key = utf8Decode(text)));
          eachMessage(entry, KEY_VALUE.value, (message) => (inner = readAnyValue(message, depth + 1)));
          entries.push(`${JSON.stringify(key)}:${valueJson(inner)}`);
        });
        value = { type: 'other', text: `{${entries.join()}}` };
      }
    } else return false;
    return true;
  });
  return value;
}

function signed(low: number, high: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

/** A value as JSON text; what JSON has no number for is a string. */
function valueJson(value: Value): string {
  switch (value.type) {
    case 'nil':
      return 'null';
    case 'array':
      return `[${value.values.map(valueJson).join()}]`;
    case 'other':
      if (value === NO_VALUE) return value.text;
      return value.text.startsWith('{') ? value.text : JSON.stringify(value.text);
    case 'int':
    case 'duration':
      return String(value.value);
    case 'float':
      return Number.isFinite(value.value) ? JSON.stringify(value.value) : JSON.stringify(String(value.value));
    default:
      return JSON.stringify(value.value);
  }
}

/** Calls back for each length-delimited field with a number. */
function eachMessage(bytes: Uint8Array, wanted: number, use: (content: Uint8Array) => void): void {
  eachField(bytes, (field, wire, reader) => {
    if (field !== wanted || wire !== WIRE_BYTES) return false;
    use(take(reader));
    return true;
  });
}

/** `use` returns whether it has read the value. */
function eachField(bytes: Uint8Array, use: (field: number, wire: number, reader: ProtoReader) => boolean): void {
  const reader = new ProtoReader(bytes);
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (!use(tag >>> 3, tag & 7, reader)) reader.skip(tag & 7);
  }
}

function take(reader: ProtoReader): Uint8Array {
  const length = reader.length();
  const from = reader.at;
  reader.at = from + length;
  return reader.bytes.subarray(from, from + length);
}
