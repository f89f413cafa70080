import { RequestBody, type RequestMemory } from '@vivace/http';
import { type Clock, orAborted, VivaceError } from '@vivace/kernel';
import { WINDOW_BYTES } from './frames.ts';

export interface ServedCallOptions {
  number: number;
  path: string;
  /** What the caller gives it, from when its request is here. */
  timeoutMs: number;
  clock: Clock;
  memory: RequestMemory;
  maxRequestBytes: number;
  requestTimeoutMs: number;
  /** Its request cannot be taken. */
  onFailure: (error: unknown) => void;
}

/** Longer than any call of ours, and what timers take. */
const MAX_TIMEOUT_MS = 24 * 3_600_000;

/** A call that is read, answered, and may be left by its caller at any time. */
export class ServedCall {
  readonly number: number;
  readonly path: string;
  readonly #options: ServedCallOptions;
  readonly #controller = new AbortController();
  #body: RequestBody | undefined;
  #isRead = false;
  #room = WINDOW_BYTES;
  #onRoom: () => void = () => undefined;
  #cancelTimer: () => void;

  constructor(options: ServedCallOptions) {
    this.#options = options;
    this.number = options.number;
    this.path = options.path;
    const { clock, requestTimeoutMs } = options;
    this.#cancelTimer = clock.after(requestTimeoutMs, () =>
      this.#fail(late(`the request was not there after ${requestTimeoutMs / 1000} s`)),
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  takePiece(bytes: Uint8Array): void {
    if (this.#isRead) return;
    const { memory, maxRequestBytes } = this.#options;
    try {
      this.#body ??= new RequestBody(memory, maxRequestBytes);
      this.#body.append(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The whole request; undefined where it cannot be taken. */
  takeLast(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#isRead) return undefined;
    // Of one frame, as nearly all are: the bytes are here, and no room has to be made for them.
    if (this.#body !== undefined) this.takePiece(bytes);
    if (this.#isRead) return undefined;
    this.#isRead = true;
    this.#cancelTimer();
    const { clock, timeoutMs } = this.#options;
    this.#cancelTimer = clock.after(Math.min(timeoutMs, MAX_TIMEOUT_MS), () =>
      this.abort(late('the deadline of the call is over')),
    );
    return this.#body?.bytes ?? bytes;
  }

  /** Takes from what may be on its way to the caller, and waits where that is too much. */
  spendRoom(bytes: number): Promise<void> | undefined {
    this.#room -= bytes;
    return this.#room >= 0 ? undefined : this.#waitForRoom();
  }

  giveRoom(bytes: number): void {
    this.#room = Math.min(WINDOW_BYTES, this.#room + bytes);
    if (this.#room >= 0) this.#onRoom();
  }

  abort(error: VivaceError): void {
    this.#controller.abort(error);
    // Whoever leaves before the request is here leaves nothing that runs.
    if (!this.#isRead) this.#fail(error);
  }

  /** It has ended. */
  settle(): void {
    this.#cancelTimer();
  }

  /** Nobody uses the bytes of the request any more. */
  release(): void {
    this.#body?.release();
  }

  #fail(error: unknown): void {
    this.#isRead = true;
    this.#cancelTimer();
    this.release();
    this.#options.onFailure(error);
  }

  async #waitForRoom(): Promise<void> {
    while (this.#room < 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onRoom = resolve;
      await orAborted(promise, this.signal);
    }
  }
}

function late(message: string): VivaceError {
  return new VivaceError('deadline', 'call-deadline', message);
}
