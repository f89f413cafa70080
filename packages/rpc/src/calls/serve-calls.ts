import type { Socket } from 'node:net';
import type { RequestMemory } from '@vivace/http';
import { type Clock, concatBytes, isKind, orAborted, VivaceError } from '@vivace/kernel';
import { encodeError } from './call-error.ts';
import {
  FRAME,
  FrameReader,
  frameOf,
  HEADER_BYTES,
  MAX_CALLS,
  MAX_PAYLOAD_BYTES,
  notOurs,
  numberIn,
  PREFACE,
} from './frames.ts';
import { ServedCall } from './served-call.ts';

export interface Call {
  /** The bytes of the request, valid until the method has settled. */
  message: Uint8Array;
  /** Aborted when the caller leaves, at the deadline it has set, and when the server stops. */
  signal: AbortSignal;
  /** Sends a message; resolves when the caller has room for more. */
  send: (message: Uint8Array) => Promise<void>;
}

/** Sends its answer, one message or any number. What it throws is the error of the call. */
export type CallMethod = (call: Call) => Promise<void>;

export interface ServeCallsOptions {
  /** By path, `/package.Service/Method`. */
  methods: ReadonlyMap<string, CallMethod>;
  clock: Clock;
  /** Where requests of more than one frame are read to. */
  memory: RequestMemory;
  maxRequestBytes: number;
  /** For a caller to send its whole request. */
  requestTimeoutMs: number;
  /** A connection without a call, or whose other side takes nothing. */
  idleTimeoutMs: number;
  onError: (error: unknown, call: string) => void;
  /** Aborted when the server stops: calls that would never end by themselves do. */
  stopping: AbortSignal;
}

/** Methods that run for one connection: callers leave calls that have not ended yet. */
const MAX_RUNNING = 4 * MAX_CALLS;
/** What may be said of a call before its message. */
const MAX_CALL_BYTES = 256;
/** Nothing is read from who does not take so many bytes that are for him. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** What is written in one go is gathered up to this. */
const MAX_GATHERED_BYTES = 16 * 1024;

/** Serves the calls of a connection, preface included. `leave` takes no more; it is closed after the last of them. */
export function serveCalls(socket: Socket, options: ServeCallsOptions): { leave(): void } {
  return new ServedConnection(socket, options);
}

class ServedConnection {
  readonly #socket: Socket;
  readonly #options: ServeCallsOptions;
  readonly #reader = new FrameReader();
  /** Calls that somebody waits for, by their number. */
  readonly #calls = new Map<number, ServedCall>();
  #running = 0;
  #lastNumber = 0;
  #prefaceBytes = 0;
  /** What is about to be sent. */
  #frames: Uint8Array[] = [];
  #framesBytes = 0;
  /** Resolves when the socket takes more. */
  #drained: PromiseWithResolvers<void> | undefined;
  #isLeaving = false;
  readonly #onStop = () => this.#abortAll(new VivaceError('unavailable', 'call-unavailable', STOPPING));

  constructor(socket: Socket, options: ServeCallsOptions) {
    this.#socket = socket;
    this.#options = options;
    const { stopping, idleTimeoutMs } = options;
    socket.setNoDelay(true);
    stopping.addEventListener('abort', this.#onStop, { once: true });
    socket.once('close', () => {
      stopping.removeEventListener('abort', this.#onStop);
      this.#abortAll(new VivaceError('canceled', 'call-canceled', 'the client went away'));
    });
    socket.setTimeout(idleTimeoutMs, () => {
      if (this.#calls.size === 0 || this.#unsentBytes > 0) socket.destroy();
    });
    socket.on('drain', () => this.#onDrained());
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk)).resume();
  }

  leave(): void {
    if (!this.#isLeaving) this.#write(frameOf(FRAME.leave, 0));
    this.#isLeaving = true;
    this.#closeIfLeft();
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#reader.take(this.#afterPreface(chunk), (kind, number, payload) => this.#onFrame(kind, number, payload));
    } catch (error) {
      // Who does not speak the protocol concerns nobody else.
      if (!isKind(error, 'data')) this.#options.onError(error, 'a connection');
      this.#socket.destroy();
    }
    if (this.#unsentBytes > MAX_UNSENT_BYTES) this.#socket.pause();
  }

  #afterPreface(chunk: Uint8Array): Uint8Array {
    const count = Math.min(PREFACE.length - this.#prefaceBytes, chunk.length);
    for (let i = 0; i < count; i++) {
      if (chunk[i] !== PREFACE[this.#prefaceBytes++]) throw notOurs('it begins otherwise');
    }
    return chunk.subarray(count);
  }

  #onFrame(kind: number, number: number, payload: Uint8Array): void {
    const call = this.#calls.get(number);
    switch (kind) {
      case FRAME.call:
        return this.#open(number, payload);
      case FRAME.piece:
        return call?.takePiece(payload);
      case FRAME.last: {
        const message = call?.takeLast(payload);
        if (call !== undefined && message !== undefined) void this.#run(call, message);
        return;
      }
      case FRAME.cancel:
        call?.abort(new VivaceError('canceled', 'call-canceled', 'the client went away'));
        this.#calls.delete(number);
        return;
      case FRAME.room:
        return call?.giveRoom(numberIn(payload));
      case FRAME.ping:
        this.#write(frameOf(FRAME.pong, number));
        return;
      default:
        throw notOurs(`a frame of kind ${kind}`);
    }
  }

  #open(number: number, payload: Uint8Array): void {
    if (number <= this.#lastNumber) throw notOurs(`call ${number} after call ${this.#lastNumber}`);
    this.#lastNumber = number;
    if (payload.length > MAX_CALL_BYTES) throw notOurs(`a call of ${payload.length} bytes`);
    const { clock, memory, maxRequestBytes, requestTimeoutMs } = this.#options;
    const call = new ServedCall({
      number,
      timeoutMs: numberIn(payload),
      path: Buffer.from(payload.subarray(4)).toString('latin1'),
      clock,
      memory,
      maxRequestBytes,
      requestTimeoutMs,
      onFailure: (error) => this.#end(call, error),
    });
    this.#calls.set(number, call);
    if (this.#isLeaving) this.#end(call, new VivaceError('unavailable', 'call-unavailable', STOPPING));
    else if (this.#running + this.#calls.size > MAX_RUNNING) this.#end(call, tooMany());
  }

  async #run(call: ServedCall, message: Uint8Array): Promise<void> {
    const { methods, onError } = this.#options;
    const { path, signal } = call;
    this.#running++;
    let running: Promise<void> | undefined;
    let failure: unknown;
    try {
      const method = methods.get(path);
      if (method === undefined)
        throw new VivaceError('unavailable', 'call-unknown', `nobody here takes ${path.slice(0, 200)}`);
      running = method({ message, signal, send: (answer) => this.#send(call, answer) });
      await orAborted(running, signal);
    } catch (error) {
      failure = error;
      if (isKind(error, 'internal', 'data')) onError(error, path);
    }
    this.#end(call, failure);
    // A method may go on after its caller has left, and its bytes are not somebody else's before it has ended.
    await running?.catch(() => undefined);
    call.release();
    this.#running--;
  }

  /** Tells a caller that waits for it how a call has ended. */
  #end(call: ServedCall, failure?: unknown): void {
    call.settle();
    if (!this.#calls.delete(call.number)) return;
    this.#write(frameOf(FRAME.end, call.number, failure === undefined ? undefined : encodeError(failure)));
    this.#closeIfLeft();
  }

  async #send(call: ServedCall, message: Uint8Array): Promise<void> {
    let at = 0;
    do {
      const piece = message.subarray(at, at + MAX_PAYLOAD_BYTES);
      at += piece.length;
      const spent = call.spendRoom(HEADER_BYTES + piece.length);
      if (spent !== undefined) await spent;
      call.signal.throwIfAborted();
      const kind = at === message.length ? FRAME.last : FRAME.piece;
      if (this.#write(frameOf(kind, call.number, piece))) continue;
      this.#drained ??= Promise.withResolvers<void>();
      await orAborted(this.#drained.promise, call.signal);
    } while (at < message.length);
  }

  /** What is written in one go leaves together: an answer and its end. False: the socket has enough for now. */
  #write(frame: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return true;
    if (this.#frames.length === 0) process.nextTick(() => this.#flush());
    this.#frames.push(frame);
    this.#framesBytes += frame.length;
    if (this.#framesBytes > MAX_GATHERED_BYTES) this.#flush();
    return this.#unsentBytes < socket.writableHighWaterMark;
  }

  /** As one piece: several, corked, take several times as long. */
  #flush(): void {
    if (this.#frames.length === 0) return;
    const [first] = this.#frames as [Uint8Array];
    const bytes = this.#frames.length === 1 ? first : concatBytes(this.#frames);
    this.#frames = [];
    this.#framesBytes = 0;
    const { destroyed, writableEnded } = this.#socket;
    if (!destroyed && !writableEnded && this.#socket.write(bytes)) this.#onDrained();
  }

  get #unsentBytes(): number {
    return this.#framesBytes + this.#socket.writableLength;
  }

  #onDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
    this.#socket.resume();
  }

  #abortAll(error: VivaceError): void {
    for (const call of this.#calls.values()) call.abort(error);
  }

  #closeIfLeft(): void {
    if (!this.#isLeaving || this.#calls.size > 0) return;
    this.#flush();
    this.#socket.destroySoon();
  }
}

const STOPPING = 'the server is stopping: call another one';

function tooMany(): VivaceError {
  return new VivaceError(
    'unavailable',
    'call-unavailable',
    `more than ${MAX_RUNNING} calls of one process are under way`,
    {
      retryAfterMs: 1000,
    },
  );
}
