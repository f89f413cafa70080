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
    // Looking at every value takes several times as long as all else.
    if (!text.includes('"$"')) return JSON.parse(text);
    return JSON.parse(text, (_, value: unknown) => (isSpecial(value) ? unpack(value, pieces) : value));
  } catch (error) {
    throw dataError('parcel', `a parcel cannot be read: ${(error as Error).message}`);
  }
}

function pack(value: unknown): { text: Uint8Array; pieces: Uint8Array[] } {
  if (isJson(value)) return { text: utf8Encode(JSON.stringify(value)), pieces: [] };
  const pieces: Uint8Array[] = [];
  const json = JSON.stringify(value, (_, one: unknown): unknown => {
    if (typeof one === 'bigint') return { $: ['n', String(one)] } satisfies Special;
    if (typeof one === 'number') {
      const isPlain = Number.isFinite(one) && !Object.is(one, -0);
      return isPlain ? one : ({ $: ['f', Object.is(one, -0) ? '-0' : String(one)] } satisfies Special);
    }
    if (one instanceof Map) return { $: ['m', [...(one as Map<unknown, unknown>)]] } satisfies Special;
    if (one instanceof Uint8Array || one instanceof Uint32Array || one instanceof Int32Array) {
      pieces.push(bytesOf(one));
      const kind = one instanceof Uint8Array ? 'u8' : one instanceof Uint32Array ? 'u32' : 'i32';
      return { $: [kind, pieces.length - 1] } satisfies Special;
    }
    return one;
  });
  return { text: utf8Encode(json), pieces };
}

/** Whether JSON has a form for all of it: handing each value to a function takes several times as long as writing it. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint';
  if (Array.isArray(value)) return value.every(isJson);
  return !ArrayBuffer.isView(value) && !(value instanceof Map) && Object.values(value).every(isJson);
}

function bytesOf(array: Binary): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function isSpecial(value: unknown): value is Special {
  return typeof value === 'object' && value !== null && Array.isArray((value as Partial<Special>).$);
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
