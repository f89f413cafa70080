import { VivaceError } from '@vivace/kernel';

/** Before each message: a flag for compression, and the length in four bytes. */
export const PREFIX_BYTES = 5;

/** Room for a message of `length` bytes, not zeroed, behind its prefix. */
export function allocateGrpcFrame(length: number): Uint8Array<ArrayBuffer> {
  const frame = Buffer.allocUnsafeSlow(PREFIX_BYTES + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  return frame;
}

/** Takes messages out of the bytes of an answer, in pieces as they come. */
export class GrpcFrameReader {
  readonly #maxBytes: number;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixLength = 0;
  #message: Uint8Array | undefined;
  #length = 0;

  /** `maxBytes`: of one message, checked before there is room for it. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True between two messages. */
  get isEmpty(): boolean {
    return this.#prefixLength === 0 && this.#message === undefined;
  }

  /** The messages that end in this piece. Throws `limited` for one that is too large, `data` for what is none. */
  take(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#message === undefined) {
        this.#prefix[this.#prefixLength++] = chunk[at++] as number;
        if (this.#prefixLength === PREFIX_BYTES) this.#begin();
      } else {
        const count = Math.min(chunk.length - at, this.#message.length - this.#length);
        this.#message.set(chunk.subarray(at, at + count), this.#length);
        this.#length += count;
        at += count;
      }
      if (this.#message !== undefined && this.#length === this.#message.length) {
        messages.push(this.#message);
        this.#message = undefined;
      }
    }
    return messages;
  }

  #begin(): void {
    this.#prefixLength = 0;
    this.#length = 0;
    const length = new DataView(this.#prefix.buffer).getUint32(1);
    if (this.#prefix[0] !== 0) throw new VivaceError('data', 'grpc-answer', 'the answer is compressed');
    if (length > this.#maxBytes) {
      throw new VivaceError(
        'limited',
        'grpc-answer-size',
        `the answer is too large: ${length} bytes, max ${this.#maxBytes}`,
      );
    }
    this.#message = new Uint8Array(length);
  }
}
