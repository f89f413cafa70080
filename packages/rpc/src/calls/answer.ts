import { concatBytes, VivaceError } from '@vivace/kernel';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES, WINDOW_BYTES } from './frames.ts';

export interface AnswerOptions {
  /** Who answers, for messages of errors. */
  address: string;
  /** Of one message. */
  maxBytes: number;
  /** Lets so many bytes more be on their way. */
  giveRoom: (bytes: number) => void;
}

/** The answer to a call, as it comes. Besides one message that is being put together, a window of it is here at most. */
export class Answer {
  readonly #options: AnswerOptions;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #messages: Uint8Array[] = [];
  /** What may still come, and what of that which has come was not made room for yet. */
  #room = WINDOW_BYTES;
  #owed = 0;
  #end: { error: VivaceError | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Takes a part of a message. Throws `limited` where that is too large, `data` where more comes than there is room. */
  take(bytes: Uint8Array, isLast: boolean): void {
    const { address, maxBytes } = this.#options;
    this.#room -= HEADER_BYTES + bytes.length;
    this.#owed += HEADER_BYTES + bytes.length;
    if (this.#room < 0) throw new VivaceError('data', 'call-answer', `${address} sends more than it may`);
    // Each takes more memory than its bytes.
    if (!isLast && bytes.length < MAX_PAYLOAD_BYTES) {
      throw new VivaceError('data', 'call-answer', `${address} sends its answer in pieces that are too small`);
    }
    this.#length += bytes.length;
    if (this.#length > maxBytes) {
      const size = `${this.#length} bytes or more, max ${maxBytes}`;
      throw new VivaceError('limited', 'call-answer-size', `the answer is too large: ${size}`);
    }
    this.#pieces.push(bytes);
    if (isLast) {
      this.#messages.push(this.#pieces.length === 1 ? bytes : concatBytes(this.#pieces));
      this.#pieces = [];
      this.#length = 0;
    }
    this.#makeRoom();
    this.#wake();
  }

  /** There is no more of it. What is said first counts. */
  end(error?: VivaceError): void {
    const isCutOff = error === undefined && this.#pieces.length > 0;
    this.#end ??= {
      error: isCutOff
        ? new VivaceError('data', 'call-answer', `the answer of ${this.#options.address} is cut off`)
        : error,
    };
    this.#wake();
  }

  /** The next message; undefined after the last. One caller at a time. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#makeRoom();
        return message;
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The message of an answer that has one. */
  async only(): Promise<Uint8Array> {
    const { address } = this.#options;
    const message = await this.next();
    if (message === undefined) throw new VivaceError('data', 'call-answer', `${address} sent no message`);
    if ((await this.next()) === undefined) return message;
    throw new VivaceError('data', 'call-answer', `${address} sent more than one message`);
  }

  /** Messages that nobody has taken keep others away. */
  #makeRoom(): void {
    if (this.#messages.length > 0 || this.#owed < WINDOW_BYTES / 2 || this.isEnded) return;
    this.#options.giveRoom(this.#owed);
    this.#room += this.#owed;
    this.#owed = 0;
  }
}
