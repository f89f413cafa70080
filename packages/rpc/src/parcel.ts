import { dataError, utf8Decode, utf8Encode } from '@vivace/kernel';
import { ProtoReader, ProtoWriter, WIRE_BYTES } from '@vivace/otlp';

// The message of proto/parcel.proto: a value as JSON, and beside it what JSON has no form for.

/** Typed arrays and maps in one parcel, at most. */
const MAX_PIECES = 100_000;
const JSON_TEXT = 8 + WIRE_BYTES;
const PIECE = 16 + WIRE_BYTES;

type Binary = Uint8Array | Uint32Array | Int32Array;

/** What stands in the JSON for a value that it has no form for; no object of ours has this key otherwise. */
type Special = { $: ['u8' | 'u32' | 'i32', piece: number] | ['n' | 'f', text: string] | ['m', entries: unknown[]] };

/** Plain objects, arrays, texts, numbers (all of them), big integers, maps, and arrays of bytes and 32-bit numbers. */
export function encodeParcel(value: unknown): Uint8Array {
  const { text, pieces } = pack(value);
  const writer = new ProtoWriter(text.length + 64 + pieces.reduce((sum, piece) => sum + piece.length + 16, 0));
  writer.bytesField(1, text);
  for (const piece of pieces) writer.bytesField(2, piece);
  return writer.toBytes();
}

/** What `encodeParcel` was given; its arrays are copies. Throws `data`. What it is, is for the caller to check. */
export function decodeParcel(message: Uint8Array): unknown {
  let text = '';
  const pieces: Uint8Array[] = [];
  const reader = new ProtoReader(message);
  while (reader.at < message.length) {
    const tag = reader.tag();
    if (tag !== JSON_TEXT && tag !== PIECE) {
      reader.skip(tag & 7);
      continue;
    }
    const to = reader.length() + reader.at;
    const bytes = message.subarray(reader.at, to);
    if (tag === JSON_TEXT) text = utf8Decode(bytes);
    else if (pieces.push(bytes) > MAX_PIECES) throw dataError('parcel', `a parcel has at most ${MAX_PIECES} pieces`);
    reader.at = to;
  }
  try {
    const value: unknown = JSON.parse(text);
    return text.includes('"$"') ? revived(value, pieces) : value;
  } catch (error) {
    throw dataError('parcel', `a parcel cannot be read: ${(error as Error).message}`);
  }
}

function pack(value: unknown): { text: Uint8Array; pieces: Uint8Array[] } {
  const pieces: Uint8Array[] = [];
  return { text: utf8Encode(JSON.stringify(jsonOf(value, pieces))), pieces };
}

/**
 * The value itself where JSON has a form for all of it, else a copy of what it has not. Walking through it before takes a
 * fraction of what a function that JSON calls with each value does.
 */
function jsonOf(value: unknown, pieces: Uint8Array[]): unknown {
  if (typeof value === 'bigint') return { $: ['n', String(value)] } satisfies Special;
  if (typeof value === 'number') {
    if (Number.isFinite(value) && !Object.is(value, -0)) return value;
    return { $: ['f', Object.is(value, -0) ? '-0' : String(value)] } satisfies Special;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Map) return { $: ['m', jsonOf([...(value as Map<unknown, unknown>)], pieces) as unknown[]] };
  if (value instanceof Uint8Array || value instanceof Uint32Array || value instanceof Int32Array) {
    const kind = value instanceof Uint8Array ? 'u8' : value instanceof Uint32Array ? 'u32' : 'i32';
    return { $: [kind, pieces.push(bytesOf(value)) - 1] } satisfies Special;
  }
  return Array.isArray(value) ? eachOf(value as unknown[], pieces) : fieldsOf(value as Fields, pieces);
}

function eachOf(list: unknown[], pieces: Uint8Array[]): unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const json = jsonOf(list[i], pieces);
    if (json !== list[i]) (copy ??= list.slice())[i] = json;
  }
  return copy ?? list;
}

type Fields = Record<string, unknown>;

function fieldsOf(fields: Fields, pieces: Uint8Array[]): Fields {
  let copy: Fields | undefined;
  for (const key of Object.keys(fields)) {
    const json = jsonOf(fields[key], pieces);
    if (json !== fields[key]) put((copy ??= { ...fields }), key, json);
  }
  return copy ?? fields;
}

/** Also where the key is `__proto__`. */
function put(fields: Fields, key: string, value: unknown): void {
  if (key !== '__proto__') fields[key] = value;
  else Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
}

function bytesOf(array: Binary): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function isSpecial(value: unknown): value is Special {
  return typeof value === 'object' && value !== null && Array.isArray((value as Partial<Special>).$);
}

/** The same value with what stands for others replaced by them. */
function revived(value: unknown, pieces: readonly Uint8Array[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const list = value as unknown[];
    for (let i = 0; i < list.length; i++) {
      if (typeof list[i] === 'object') list[i] = revived(list[i], pieces);
    }
    return list;
  }
  const fields = value as Fields;
  for (const key of Object.keys(fields)) {
    const before = fields[key];
    if (typeof before !== 'object') continue;
    const after = revived(before, pieces);
    if (after !== before) put(fields, key, after);
  }
  return isSpecial(fields) ? unpack(fields, pieces) : fields;
}

function unpack({ $: [kind, content] }: Special, pieces: readonly Uint8Array[]): unknown {
  switch (kind) {
    case 'n':
      return BigInt(content);
    case 'f':
      return Number(content);
    case 'm':
      return new Map(content as [unknown, unknown][]);
    default: {
      const piece = pieces[content];
      if (piece === undefined) throw dataError('parcel', `a piece is missing: ${content}`);
      // Pieces lie anywhere in the message; arrays of numbers begin at multiples of their size.
      const { buffer } = piece.slice();
      if (kind === 'u8') return new Uint8Array(buffer);
      return kind === 'u32' ? new Uint32Array(buffer) : new Int32Array(buffer);
    }
  }
}
