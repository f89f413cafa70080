import { parsed, parseInt64 } from './integers.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, JsonReader, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-reader.ts';
import { type Field, type Message, nameHash, tracesData } from './messages.ts';
import { MAX_MESSAGE_DEPTH, ProtoWriter } from './wire.ts';

/**
 * Turns an ExportTraceServiceRequest (or TracesData) in OTLP/JSON into protobuf, in one pass without objects in
 * between. Exact: 64-bit integers as strings or numbers keep every digit. Ids are hex of either case, of any
 * length: judging them is not done here. Names in lowerCamelCase or snake_case; unknown ones are stepped over;
 * enums as numbers or names; `null` is the same as absent. Bytes that are not UTF-8 stay as they are.
 *
 * Throws `invalid` with the position of what is wrong. The caller bounds the length; the answer is never
 * longer than the text by more than a constant factor below 2. It is a view that the next call overwrites.
 */
export function tracesFromJson(json: Uint8Array): Uint8Array {
  const out = new ProtoWriter(json.length + 64);
  const transcoder = new Transcoder(new JsonReader(json), out);
  transcoder.document();
  return out.written();
}

class Transcoder {
  private readonly reader: JsonReader;
  private readonly out: ProtoWriter;

  constructor(reader: JsonReader, out: ProtoWriter) {
    this.reader = reader;
    this.out = out;
  }

  document(): void {
    this.object(tracesData, 1);
    if (this.reader.peek() !== -1) throw this.reader.error('text after the end');
  }

  /** `depth` counts messages; JSON has at most two brackets for each. */
  private object(message: Message, depth: number): void {
    const reader = this.reader;
    if (reader.peek() !== OPEN_OBJECT) throw reader.error(`expected an object (${message.name})`);
    if (depth > MAX_MESSAGE_DEPTH) throw reader.error('objects are nested too deeply');
    reader.at++;
    if (reader.take(CLOSE_OBJECT)) return;
    do {
      if (reader.peek() !== QUOTE) throw reader.error('expected a member name');
      reader.key();
      const field = this.lookUp(message);
      if (field === undefined) reader.skip(depth);
      else if (!reader.literal('null')) {
        if (field.repeated) this.array(field, depth);
        else this.value(field, depth);
      }
    } while (reader.take(COMMA));
    reader.expect(CLOSE_OBJECT);
  }

  private array(field: Field, depth: number): void {
    const reader = this.reader;
    if (reader.peek() !== OPEN_ARRAY) throw reader.error('expected an array');
    reader.at++;
    if (reader.take(CLOSE_ARRAY)) return;
    do this.value(field, depth);
    while (reader.take(COMMA));
    reader.expect(CLOSE_ARRAY);
  }

  /** The field of the key just read. */
  private lookUp(message: Message): Field | undefined {
    const { bytes, start, end, escaped, hash } = this.reader;
    if (escaped) {
      const name = Buffer.from(this.reader.text(), 'utf8');
      const field = message.byNameHash.get(nameHash(name));
      return field !== undefined && isName(field, name, 0, name.length) ? field : undefined;
    }
    const field = message.byNameHash.get(hash);
    return field !== undefined && isName(field, bytes, start, end) ? field : undefined;
  }

  /** Writes a field whole, or nothing if it has the default of its type and no presence. */
  private value(field: Field, depth: number): void {
    const { out } = this;
    switch (field.type) {
      case 'message': {
        const start = out.open(field.number);
        this.object(field.message as Message, depth + 1);
        out.close(start);
        return;
      }
      case 'string':
        return this.string(field);
      case 'id':
        return this.hex(field);
      case 'bytes':
        return this.base64(field);
      case 'bool':
        return this.bool(field);
      case 'enum':
        return this.enumeration(field);
      case 'uint32':
      case 'fixed32':
        this.integer(false);
        if (parsed.hi !== 0) throw this.outOfRange();
        if (parsed.lo === 0) return;
        out.tag(field.number, field.wire);
        if (field.type === 'uint32') out.varint(parsed.lo);
        else out.fixed32(parsed.lo);
        return;
      case 'fixed64':
        this.integer(false);
        if (parsed.lo === 0 && parsed.hi === 0) return;
        out.tag(field.number, field.wire);
        return out.fixed64(parsed.lo, parsed.hi);
      case 'int64':
        this.integer(true);
        out.tag(field.number, field.wire);
        return out.varint64(parsed.lo, parsed.hi);
      case 'double': {
        const value = this.double();
        out.tag(field.number, field.wire);
        return out.double(value);
      }
    }
  }

  private string(field: Field): void {
    const { reader, out } = this;
    if (reader.peek() !== QUOTE) throw reader.error('expected a string');
    reader.string();
    if (reader.start === reader.end && !field.oneof && !field.repeated) return;
    // JSON.parse does the escapes; half of a surrogate pair becomes U+FFFD on the way to UTF-8.
    if (reader.escaped) out.stringField(field.number, reader.text());
    else out.bytesField(field.number, reader.bytes, reader.start, reader.end);
  }

  private hex(field: Field): void {
    const { reader, out } = this;
    if (reader.peek() !== QUOTE) throw reader.error('expected a string of hex digits');
    reader.string();
    const { bytes, start, end } = reader;
    const count = (end - start) / 2;
    if (count === 0) return;
    out.tag(field.number, field.wire);
    out.varint(Math.floor(count));
    out.reserve(count);
    for (let i = start; i < end; i += 2) {
      const high = HEX[bytes[i] as number] as number;
      const low = i + 1 < end ? (HEX[bytes[i + 1] as number] as number) : -1;
      if ((high | low) < 0) {
        reader.at = i;
        throw reader.error('an id is not an even number of hex digits');
      }
      out.bytes[out.length++] = (high << 4) | low;
    }
  }

  private base64(field: Field): void {
    const { reader, out } = this;
    if (reader.peek() !== QUOTE) throw reader.error('expected a string in base64');
    reader.string();
    const text = reader.text();
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
      reader.at = reader.start;
      throw reader.error('a value is not base64');
    }
    out.bytesField(field.number, Buffer.from(text, 'base64'));
  }

  private bool(field: Field): void {
    const { reader, out } = this;
    const value = reader.literal('true');
    if (!value && !reader.literal('false')) throw reader.error('expected true or false');
    out.tag(field.number, field.wire);
    out.byte(value ? 1 : 0);
  }

  private enumeration(field: Field): void {
    const { reader, out } = this;
    if (reader.peek() === QUOTE) {
      reader.string();
      const text = reader.text();
      const value = /^\d{1,9}$/.test(text) ? Number(text) : (field.enumNames?.indexOf(text) ?? -1);
      if (value < 0) {
        reader.at = reader.start;
        throw reader.error('an enum value is not known by this name');
      }
      parsed.lo = value;
      parsed.hi = 0;
    } else {
      // Enums are open: any signed number of 32 bits may come.
      this.integer(true);
      if (parsed.hi !== (parsed.lo >> 31) >>> 0) throw this.outOfRange();
    }
    if (parsed.lo === 0) return;
    out.tag(field.number, field.wire);
    out.varint64(parsed.lo, parsed.hi);
  }

  /** A 64-bit integer as number or string, into `parsed`. */
  private integer(signed: boolean): void {
    const reader = this.reader;
    if (reader.peek() === QUOTE) reader.string();
    else reader.number();
    if (!parseInt64(reader.bytes, reader.start, reader.end, signed)) throw this.outOfRange();
  }

  private outOfRange(): Error {
    this.reader.at = this.reader.start;
    return this.reader.error('a value is not an integer of its range');
  }

  private double(): number {
    const reader = this.reader;
    const quoted = reader.peek() === QUOTE;
    if (quoted) reader.string();
    else reader.number();
    const text = reader.text();
    const special = text === 'NaN' || text === 'Infinity' || text === '-Infinity';
    const value = Number(text);
    const numeric = !quoted || /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text);
    if (!special && (!numeric || !Number.isFinite(value))) {
      reader.at = reader.start;
      throw reader.error('a value is not a double');
    }
    return value;
  }
}

function isName(field: Field, bytes: Uint8Array, start: number, end: number): boolean {
  return isBytes(field.name, bytes, start, end) || isBytes(field.snakeName, bytes, start, end);
}

function isBytes(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}

/** The value of a hex digit, -1 for any other byte. */
const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  HEX[i.toString(16).charCodeAt(0)] = i;
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}
