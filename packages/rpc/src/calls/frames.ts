import { concatBytes, dataError } from '@vivace/kernel';

/*
 * What crosses a connection between two processes: first the preface, from the one that calls, and then frames both
 * ways, each with its kind, the call that it is of, and the length of what follows. A request is `call` and its message,
 * an answer any number of messages and `end`. The message of either is cut into `piece`s, of which the last is `last`.
 */

/** The first bytes of a connection. */
export const PREFACE = Buffer.from('VIVACE CALLS 1\r\n');
/** The name of the protocol where TLS negotiates one. */
export const ALPN = 'vivace-calls/1';

export const FRAME = {
  /** To the callee: what it may take in milliseconds, 4 bytes, and the method. Numbers of calls only grow. */
  call: 1,
  piece: 2,
  last: 3,
  /** To the caller: nothing where all went well, else the error. */
  end: 4,
  /** To the callee: nobody waits any more. */
  cancel: 5,
  /** To the callee: so many bytes of frames more may be on their way to this call, 4 bytes. */
  room: 6,
  /** To the callee, which answers `pong`. */
  ping: 7,
  pong: 8,
  /** To the caller: no more calls are taken; those under way end. */
  leave: 9,
} as const;

export const HEADER_BYTES = 9;
/** Short enough that a long message does not hold up a short one. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Bytes of frames that may be on their way to a caller that has not taken them, of one call. */
export const WINDOW_BYTES = 1024 * 1024;
/** Calls at one time on one connection; more wait at the caller. */
export const MAX_CALLS = 256;

const NOTHING = new Uint8Array(0);

export function frameOf(kind: number, call: number, payload: Uint8Array = NOTHING): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  writeHeader(frame, 0, kind, call, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function numberFrame(kind: number, call: number, number: number): Uint8Array {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(number);
  return frameOf(kind, call, payload);
}

/** The first number of a payload. Throws `data`. */
export function numberIn(payload: Uint8Array): number {
  if (payload.length < 4) throw notOurs(`${payload.length} bytes where a number is expected`);
  return u32(payload, 0);
}

/** A whole request. */
export function requestFrames(call: number, path: string, timeoutMs: number, message: Uint8Array): Uint8Array {
  const head = HEADER_BYTES + 4 + path.length;
  const pieces = Math.max(1, Math.ceil(message.length / MAX_PAYLOAD_BYTES));
  const frames = Buffer.allocUnsafe(head + pieces * HEADER_BYTES + message.length);
  writeHeader(frames, 0, FRAME.call, call, 4 + path.length);
  frames.writeUInt32BE(timeoutMs, HEADER_BYTES);
  frames.write(path, HEADER_BYTES + 4, 'latin1');
  for (let i = 0, at = head; i < pieces; i++) {
    const piece = message.subarray(i * MAX_PAYLOAD_BYTES, (i + 1) * MAX_PAYLOAD_BYTES);
    writeHeader(frames, at, i === pieces - 1 ? FRAME.last : FRAME.piece, call, piece.length);
    frames.set(piece, at + HEADER_BYTES);
    at += HEADER_BYTES + piece.length;
  }
  return frames;
}

/** Takes frames out of the bytes of a connection, in pieces as they come. */
export class FrameReader {
  #rest: Uint8Array = NOTHING;

  /** Calls `onFrame` for each frame that ends in this piece; payloads are views on it. Throws `data`. */
  take(chunk: Uint8Array, onFrame: (kind: number, call: number, payload: Uint8Array) => void): void {
    // Not as a Buffer, whose `slice` is no copy.
    const piece = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    const bytes = this.#rest.length === 0 ? piece : concatBytes([this.#rest, piece]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = u32(bytes, at + 5);
      if (length > MAX_PAYLOAD_BYTES) throw notOurs(`a frame of ${length} bytes`);
      const from = at + HEADER_BYTES;
      if (bytes.length - from < length) break;
      at = from + length;
      onFrame(bytes[from - HEADER_BYTES] as number, u32(bytes, from - 8), bytes.subarray(from, at));
    }
    this.#rest = bytes.subarray(at);
  }
}

export function notOurs(what: string): Error {
  return dataError('call-frame', `the other side of a connection does not speak as processes of Vivace do: ${what}`);
}

function writeHeader(frame: Buffer, at: number, kind: number, call: number, length: number): void {
  frame[at] = kind;
  frame.writeUInt32BE(call, at + 1);
  frame.writeUInt32BE(length, at + 5);
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) * 0x1000000 +
      (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))) >>>
    0
  );
}
