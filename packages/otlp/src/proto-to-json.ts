import { concatBytes, dataError } from '@vivace/kernel';
import { canonicalBytes, fieldOf, isCanonical } from './canonical.ts';
import { JsonWriter } from './json-writer.ts';
import { type Field, type Message, resourceSpans, tracesData } from './messages.ts';
import { doubleOf, MAX_MESSAGE_DEPTH, ProtoReader, WIRE_BYTES, WIRE_FIXED32, WIRE_VARINT } from './wire.ts';

/**
 * `tempo`: as Tempo's API answers: ids in base64, enums as names; `resource`, `scope` and `status` always there.
 * `otlp`: OTLP/JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in hex, enums as numbers.
 * Both: 64-bit integers as strings, bytes in base64, fields with the default of their type left out.
 */
export type JsonStyle = 'tempo' | 'otlp';

export interface TracesJsonOptions {
  style: JsonStyle;
  /** Written before the array of ResourceSpans. Default `{"resourceSpans":`; Tempo's v1 has `{"batches":`. */
  before?: string;
  /** Written after it. Default `}`. */
  after?: string;
  /** A piece is handed out when it has this many bytes. Default 256 KiB: large enough to be cheap to send. */
  pieceBytes?: number;
}

/**
 * Writes TracesData in protobuf as JSON, piece by piece, so that a trace of 100 MB neither stands in memory
 * twice nor stops the process: between two pieces the caller may wait for whoever reads them.
 * Throws `data` for bytes that are not protobuf; pieces handed out before that are a beginning only.
 */
export function* tracesToJsonPieces(traces: Uint8Array, options: TracesJsonOptions): Generator<Uint8Array> {
  const walk = new Walk(traces, options.style, options.pieceBytes ?? 256 * 1024);
  walk.out.copy(Buffer.from(options.before ?? '{"resourceSpans":'));
  yield* walk.resourceSpansArray();
  walk.out.copy(Buffer.from(options.after ?? '}'));
  yield walk.out.written();
}

/** The pieces of `tracesToJsonPieces` as one. */
export function tracesToJson(traces: Uint8Array, options: TracesJsonOptions): Uint8Array {
  return concatBytes([...tracesToJsonPieces(traces, options)]);
}

/** A message being written: where its fields are, and what has been written of it. */
interface Frame {
  message: Message;
  /** What to set the reader back to at the end. */
  outerBytes: Uint8Array;
  outerAt: number;
  outerEnd: number;
  /** The repeated field whose array is open. */
  open: Field | undefined;
  empty: boolean;
  /** Bit n: field n was there. */
  seen: number;
}

class Walk {
  out: JsonWriter;
  private readonly reader: ProtoReader;
  private readonly tempo: boolean;
  private readonly pieceBytes: number;

  constructor(traces: Uint8Array, style: JsonStyle, pieceBytes: number) {
    this.reader = new ProtoReader(traces);
    this.tempo = style === 'tempo';
    this.pieceBytes = pieceBytes;
    this.out = new JsonWriter(Math.min(pieceBytes, traces.length * 3) + 1024);
  }

  /** What was written; more is to come. */
  take(): Uint8Array {
    const piece = this.out.written();
    this.out = new JsonWriter(this.pieceBytes + 1024);
    return piece;
  }

  *resourceSpansArray(): Generator<Uint8Array> {
    const reader = this.reader;
    this.out.byte(OPEN_ARRAY);
    let first = true;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (fieldOf(tracesData, tag) === undefined) {
        reader.skip(tag & 7);
        continue;
      }
      if (!first) this.out.byte(COMMA);
      first = false;
      yield* this.pieces(resourceSpans, 2);
    }
    this.out.byte(CLOSE_ARRAY);
  }

  /** As `object`, for messages that are too large to write in one go: one span may have millions of events. */
  private *pieces(message: Message, depth: number): Generator<Uint8Array> {
    checkDepth(depth);
    const frame = this.enter(message);
    for (let field = this.next(frame); field !== undefined; field = this.next(frame)) {
      if (field.message !== undefined && this.isLong()) yield* this.pieces(field.message, depth + 1);
      else this.value(field, depth + 1);
      if (this.out.length >= this.pieceBytes) yield this.take();
    }
    this.leave(frame);
  }

  /** Whether the message whose length comes next is longer than a piece; the reader stays. */
  private isLong(): boolean {
    const { reader } = this;
    const at = reader.at;
    const length = reader.length();
    reader.at = at;
    return length > this.pieceBytes;
  }

  private object(message: Message, depth: number): void {
    checkDepth(depth);
    const frame = this.enter(message);
    for (let field = this.next(frame); field !== undefined; field = this.next(frame)) this.value(field, depth + 1);
    this.leave(frame);
  }

  /** Narrows the reader to the message whose length comes next. */
  private enter(message: Message): Frame {
    const reader = this.reader;
    const length = reader.length();
    const frame: Frame = {
      message,
      outerBytes: reader.bytes,
      outerAt: reader.at + length,
      outerEnd: reader.end,
      open: undefined,
      empty: true,
      seen: 0,
    };
    reader.end = frame.outerAt;
    if (!isCanonical(reader, message)) {
      reader.bytes = canonicalBytes(reader, message);
      reader.at = 0;
      reader.end = reader.bytes.length;
    }
    this.out.byte(OPEN_OBJECT);
    return frame;
  }

  /** Writes everything before the value of the next field that is to be written. */
  private next(frame: Frame): Field | undefined {
    const { reader, out } = this;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      const field = fieldOf(frame.message, tag);
      if (field === undefined) {
        reader.skip(tag & 7);
        continue;
      }
      frame.seen |= 1 << field.number;
      if (field === frame.open) {
        out.byte(COMMA);
        return field;
      }
      if (!field.oneof && !field.repeated && field.type !== 'message' && this.skippedDefault(field)) continue;
      this.key(frame, field);
      if (field.repeated) {
        out.byte(OPEN_ARRAY);
        frame.open = field;
      }
      return field;
    }
    return undefined;
  }

  private key(frame: Frame, field: Field): void {
    if (frame.open !== undefined) this.out.byte(CLOSE_ARRAY);
    frame.open = undefined;
    if (!frame.empty) this.out.byte(COMMA);
    frame.empty = false;
    this.out.copy(field.jsonKey);
  }

  private leave(frame: Frame): void {
    if (this.tempo) {
      for (const field of frame.message.always) {
        if ((frame.seen & (1 << field.number)) !== 0) continue;
        this.key(frame, field);
        this.out.byte(OPEN_OBJECT);
        this.out.byte(CLOSE_OBJECT);
      }
    }
    if (frame.open !== undefined) this.out.byte(CLOSE_ARRAY);
    this.out.byte(CLOSE_OBJECT);
    this.reader.bytes = frame.outerBytes;
    this.reader.at = frame.outerAt;
    this.reader.end = frame.outerEnd;
  }

  /** True, and past the value, if it is the default of its type; else the reader stays. */
  private skippedDefault(field: Field): boolean {
    const reader = this.reader;
    const at = reader.at;
    if (field.wire === WIRE_BYTES) {
      if (reader.length() === 0) return true;
    } else if (field.wire === WIRE_FIXED32) {
      if (reader.fixed32() === 0) return true;
    } else {
      if (field.wire === WIRE_VARINT) reader.varint64();
      else reader.fixed64();
      if (reader.lo === 0 && (reader.hi === 0 || isNarrow(field))) return true;
    }
    reader.at = at;
    return false;
  }

  private value(field: Field, depth: number): void {
    const { reader, out } = this;
    switch (field.type) {
      case 'message':
        return this.object(field.message as Message, depth);
      case 'string': {
        const length = reader.length();
        out.string(reader.bytes, reader.at, (reader.at += length));
        return;
      }
      case 'bytes':
      case 'id': {
        const length = reader.length();
        const start = reader.at;
        reader.at += length;
        if (field.type === 'id' && !this.tempo) out.hex(reader.bytes, start, reader.at);
        else out.base64(reader.bytes, start, reader.at);
        return;
      }
      case 'bool':
        reader.varint64();
        return out.ascii(reader.lo === 0 && reader.hi === 0 ? 'false' : 'true');
      case 'enum': {
        reader.varint64();
        const name = this.tempo ? field.enumNames?.[reader.lo] : undefined;
        return out.ascii(name === undefined ? String(reader.lo | 0) : `"${name}"`);
      }
      case 'uint32':
        reader.varint64();
        return out.ascii(String(reader.lo));
      case 'fixed32':
        return out.ascii(String(reader.fixed32()));
      case 'fixed64':
      case 'int64':
        out.byte(QUOTE);
        if (field.type === 'fixed64') {
          reader.fixed64();
          out.unsigned(reader.lo, reader.hi);
        } else {
          reader.varint64();
          out.signed(reader.lo, reader.hi);
        }
        return out.byte(QUOTE);
      case 'double':
        reader.fixed64();
        return out.double(doubleOf(reader.lo, reader.hi));
    }
  }
}

function checkDepth(depth: number): void {
  if (depth > MAX_MESSAGE_DEPTH) throw dataError('protobuf', 'malformed protobuf: messages are nested too deeply');
}

/** Whether the type has 32 bits, of which a longer varint keeps the low ones. */
function isNarrow(field: Field): boolean {
  return field.type === 'uint32' || field.type === 'enum';
}

const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const QUOTE = 0x22;
