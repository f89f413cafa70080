import type { Socket } from 'node:net';
import { type Clock, toVivaceError, VivaceError } from '@vivace/kernel';
import { Answer } from './answer.ts';
import { decodeError } from './call-error.ts';
import { FRAME, FrameReader, frameOf, MAX_CALLS, notOurs, numberFrame, PREFACE, requestFrames } from './frames.ts';

export interface CallRequest {
  /** `/package.Service/Method` */
  path: string;
  /** Must not change until the call has settled. */
  message: Uint8Array;
  /** The server is told, and gives up too. */
  timeoutMs: number;
  /** The server is told when it is aborted. */
  signal?: AbortSignal | undefined;
  /** Of one message of the answer. */
  maxAnswerBytes: number;
}

export interface ConnectionOptions {
  address: string;
  clock: Clock;
  /** It is not to be used for the next call. Calls under way may still end. May be called more than once. */
  onUnusable: () => void;
}

/** While a call waits its peer is asked so often whether it is there, and given so long to say so: five seconds in all. */
const PING_EVERY_MS = 2000;
const PING_TIMEOUT_MS = 3000;
const PING_LAST_MS = 500;
/** Sooner than the other side closes what is idle, so that no call meets that. */
const IDLE_MS = 60_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const LAST_NUMBER = 2 ** 32 - 1;

/** Calls over a socket that is connected. */
export class Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader();
  /** Calls under way, by their number. */
  readonly #calls = new Map<number, Answer>();
  /** Sends calls that wait for others to end. */
  #waiting: (() => void)[] = [];
  readonly #pings = new Set<(isThere: boolean) => void>();
  #nextNumber = 1;
  #isWatched = false;
  /** Set while it is asked whether the other side is there. */
  #endProbe: (() => void) | undefined;
  #isClosing = false;
  #reason = 'the connection was lost';

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    // An idle connection is no reason to stay alive.
    socket.unref();
    socket.write(PREFACE);
    socket.on('data', (chunk: Uint8Array) => {
      // What answers a ping may wait behind much else: whatever comes says that the other side is there.
      this.#endProbe?.();
      try {
        this.#reader.take(chunk, (kind, call, payload) => this.#onFrame(kind, call, payload));
      } catch (error) {
        this.#destroy(toVivaceError(error).message);
      }
    });
    socket.on('error', (error) => {
      this.#reason = error.message;
    });
    socket.once('close', () => this.#onClose());
    socket.setTimeout(IDLE_MS, () => {
      if (this.#calls.size === 0) this.close();
    });
  }

  /** Begins a call, whose answer ends with an error at its deadline, by its signal, and when the connection is lost. */
  begin({ path, message, timeoutMs, signal, maxAnswerBytes }: CallRequest): { answer: Answer; leave: () => void } {
    const { address, clock } = this.#options;
    let number: number | undefined;
    const giveRoom = (bytes: number) => void this.#socket.write(numberFrame(FRAME.room, number as number, bytes));
    const answer = new Answer({ address, maxBytes: maxAnswerBytes, giveRoom });
    const giveUp = (error: VivaceError) => {
      answer.end(error);
      if (number !== undefined) this.#forget(number, true);
    };
    const cancelTimer = clock.after(timeoutMs, () => {
      giveUp(new VivaceError('deadline', 'call-deadline', `${address} has not answered in ${timeoutMs} ms`));
      this.#probe();
    });
    const onAbort = () => giveUp(toVivaceError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    const send = () => {
      // It may have been given up while it waited.
      if (answer.isEnded) return this.#sendNext();
      if (this.#socket.destroyed || this.#nextNumber > LAST_NUMBER) return answer.end(broken(address, this.#reason));
      number = this.#nextNumber++;
      this.#calls.set(number, answer);
      this.#socket.write(requestFrames(number, path, Math.min(timeoutMs, MAX_TIMEOUT_MS), message));
      if (this.#nextNumber > LAST_NUMBER) this.close();
    };
    if (this.#calls.size < MAX_CALLS) send();
    else this.#waiting.push(send);
    this.#watch();
    const leave = () => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      if (!answer.isEnded) giveUp(new VivaceError('canceled', 'call-canceled', 'nobody waits for the answer'));
      else if (number !== undefined) this.#forget(number, true);
    };
    return { answer, leave };
  }

  /** Whether the other side answers. A connection on which nothing comes back is closed. */
  async ping(): Promise<boolean> {
    if (this.#socket.destroyed) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pings.add(resolve);
    this.#socket.write(frameOf(FRAME.ping, 0));
    this.#probe();
    return promise;
  }

  /** Takes no more calls; it ends with the last of them. Idempotent. */
  close(): void {
    this.#isClosing = true;
    this.#options.onUnusable();
    if (this.#calls.size === 0 && this.#waiting.length === 0) this.#socket.destroySoon();
  }

  #onFrame(kind: number, number: number, payload: Uint8Array): void {
    const answer = this.#calls.get(number);
    switch (kind) {
      case FRAME.piece:
      case FRAME.last:
        try {
          answer?.take(payload, kind === FRAME.last);
        } catch (error) {
          answer?.end(toVivaceError(error));
          this.#forget(number, true);
        }
        return;
      case FRAME.end:
        answer?.end(payload.length === 0 ? undefined : decodeError(payload));
        this.#forget(number, false);
        return;
      case FRAME.pong:
        for (const resolve of this.#pings) resolve(true);
        this.#pings.clear();
        return;
      case FRAME.leave:
        this.close();
        return;
      default:
        throw notOurs(`a frame of kind ${kind}`);
    }
  }

  #forget(number: number, isTold: boolean): void {
    if (!this.#calls.delete(number)) return;
    if (isTold && !this.#socket.destroyed) this.#socket.write(frameOf(FRAME.cancel, number));
    this.#sendNext();
    if (this.#isClosing) this.close();
  }

  #sendNext(): void {
    this.#waiting.shift()?.();
  }

  #onClose(): void {
    this.#endProbe?.();
    this.#options.onUnusable();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const answer of calls) answer.end(broken(this.#options.address, this.#reason));
    const waiting = this.#waiting;
    this.#waiting = [];
    // Each finds the connection closed.
    for (const send of waiting) send();
    for (const resolve of this.#pings) resolve(false);
    this.#pings.clear();
  }

  #destroy(reason: string): void {
    this.#reason = reason;
    this.#options.onUnusable();
    this.#socket.destroy();
  }

  /** Asks again and again whether the other side is there, as long as calls wait. */
  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#options.clock.after(PING_EVERY_MS, () => {
      this.#isWatched = false;
      if (this.#calls.size === 0 || this.#socket.destroyed) return;
      this.#probe();
      this.#watch();
    });
  }

  /**
   * A peer that is gone without a word would be waited for to the end of every call, and called for minutes. One that is
   * slow because what it reads from is slow answers: its calls are not made anew elsewhere.
   */
  #probe(): void {
    if (this.#endProbe !== undefined || this.#socket.destroyed) return;
    const { clock } = this.#options;
    let cancel = clock.after(PING_TIMEOUT_MS - PING_LAST_MS, () => {
      // Where this process itself stood still the answer is here, and is read before the next timer.
      cancel = clock.after(PING_LAST_MS, () => this.#destroy('it does not answer'));
    });
    this.#endProbe = () => {
      this.#endProbe = undefined;
      cancel();
    };
    this.#socket.write(frameOf(FRAME.ping, 0));
  }
}

function broken(address: string, reason: string): VivaceError {
  return new VivaceError('unavailable', 'call-broken', `the call to ${address} broke off: ${reason}`);
}
