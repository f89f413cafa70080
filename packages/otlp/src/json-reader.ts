import { VivaceError } from '@vivace/kernel';

/**
 * JSON (RFC 8259) read where it lies, byte by byte: no objects, no strings for keys, and 64-bit integers keep
 * every digit. Strings are handed out as ranges of bytes. Everything wrong is an error of kind `invalid` with
 * the position of the byte.
 */
export class JsonReader {
  readonly bytes: Uint8Array;
  at = 0;
  /** The last string read: its content between the quotes, and whether it has escapes. */
  start = 0;
  end = 0;
  escaped = false;
  /** Of the last `key`: the hash its bytes have in `nameHash`. */
  hash = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next byte that is not white space, not consumed; -1 at the end. */
  peek(): number {
    const bytes = this.bytes;
    let at = this.at;
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Consumes `byte` if it comes next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  expect(byte: number): void {
    if (!this.take(byte)) throw this.error(`expected '${String.fromCharCode(byte)}'`);
  }

  /** A member name and the colon after it, into `start`, `end` and `hash`. */
  key(): void {
    this.string();
    let hash = 0;
    for (let i = this.start; i < this.end; i++) hash = (Math.imul(hash, 31) + (this.bytes[i] as number)) | 0;
    this.hash = hash;
    this.expect(COLON);
  }

  /** A string, into `start`, `end` and `escaped`; escapes are checked when they are decoded. */
  string(): void {
    this.expect(QUOTE);
    const bytes = this.bytes;
    let at = this.at;
    this.start = at;
    this.escaped = false;
    for (;;) {
      // Beyond the end this is undefined, which ends the loop like a control character.
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        this.escaped = true;
        at++;
      } else if (!(byte >= 0x20)) {
        this.at = at;
        throw this.error(at >= bytes.length ? 'the text ends within a string' : 'a control character in a string');
      }
      at++;
    }
    this.end = at;
    this.at = at + 1;
  }

  /** The last string as text of its own. For what is short and rare: enum names, numbers in strings, escapes. */
  text(): string {
    const raw = Buffer.from(this.bytes.subarray(this.start, this.end)).toString('utf8');
    if (!this.escaped) return raw;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      this.at = this.start;
      throw this.error('a malformed escape in a string');
    }
  }

  /** A number (RFC 8259, section 6), into `start` and `end`. */
  number(): void {
    this.peek();
    const bytes = this.bytes;
    this.start = this.at;
    if (bytes[this.at] === MINUS) this.at++;
    if (bytes[this.at] === ZERO) this.at++;
    else this.digits();
    if (bytes[this.at] === POINT) {
      this.at++;
      this.digits();
    }
    if (bytes[this.at] === 0x65 || bytes[this.at] === 0x45) {
      this.at++;
      if (bytes[this.at] === PLUS || bytes[this.at] === MINUS) this.at++;
      this.digits();
    }
    this.end = this.at;
    this.escaped = false;
  }

  private digits(): void {
    const start = this.at;
    for (;;) {
      const byte = this.bytes[this.at] as number;
      if (!(byte >= ZERO && byte <= NINE)) break;
      this.at++;
    }
    if (this.at === start) throw this.error('expected a value');
  }

  /** Consumes `true`, `false` or `null` if it comes next. */
  literal(word: string): boolean {
    if (this.peek() !== word.charCodeAt(0)) return false;
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw this.error('expected a value');
    }
    this.at += word.length;
    return true;
  }

  /** Steps over any value. */
  skip(depth: number): void {
    switch (this.peek()) {
      case QUOTE:
        this.string();
        if (this.escaped) this.text();
        return;
      case OPEN_OBJECT:
        return this.skipMembers(CLOSE_OBJECT, depth);
      case OPEN_ARRAY:
        return this.skipMembers(CLOSE_ARRAY, depth);
      default:
        if (this.literal('true') || this.literal('false') || this.literal('null')) return;
        this.number();
    }
  }

  private skipMembers(close: number, depth: number): void {
    this.enter(depth);
    if (this.take(close)) return;
    do {
      if (close === CLOSE_OBJECT) {
        this.key();
        if (this.escaped) this.text();
      }
      this.skip(depth + 1);
    } while (this.take(COMMA));
    this.expect(close);
  }

  /** Consumes the bracket that opens an object or array, within the depth that is followed. */
  enter(depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw this.error('objects and arrays are nested too deeply');
    this.at++;
  }

  error(what: string): VivaceError {
    return new VivaceError('invalid', 'otlp-json', `malformed OTLP JSON: ${what}, at byte ${this.at}`);
  }
}

/** Objects and arrays inside one another: what a protobuf of the deepest messages allowed has as JSON. */
const MAX_JSON_DEPTH = 200;

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
