import { type Clock, toVivaceError, VivaceError } from '@vivace/kernel';
import type { PushClient, PushOutcome } from '@vivace/rpc';
import type { Slice } from './slice.ts';

export interface SliceBatcherOptions {
  client: PushClient;
  clock: Clock;
  /** For each call. */
  timeoutMs: number;
  /** Told of every call. */
  onCall: (failure: VivaceError | undefined, bytes: number) => void;
}

/** Slices are sent together until there are so many bytes of them: a call costs as much as a hundred spans. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_SLICES = 1024;
/** What waits for others longest, while calls are under way. An ingester's log waits longer. */
const BATCH_DELAY_MS = 10;
/** Calls at one time; an ingester answers when its log is durable, which in a bucket takes a while. */
const MAX_CALLS = 64;

interface Waiting {
  slice: Slice;
  signal: AbortSignal;
  resolve: (outcome: PushOutcome) => void;
}

/**
 * Sends slices to one ingester, several in a call: at once while no call is under way, else when there are enough of
 * them or the first has waited a little. What waits is bounded by the memory of the requests that it is of.
 */
export class SliceBatcher {
  readonly #options: SliceBatcherOptions;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #calls = 0;
  #cancelDelay: (() => void) | undefined;

  constructor(options: SliceBatcherOptions) {
    this.#options = options;
  }

  /** Never rejects. The bytes of the slice are used until it has resolved. */
  push(slice: Slice, signal: AbortSignal): Promise<PushOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push({ slice, signal, resolve });
      this.#waitingBytes += slice.length;
      this.#sendWhatMay();
    });
  }

  #sendWhatMay(): void {
    const full = () => this.#waitingBytes >= BATCH_BYTES || this.#waiting.length >= BATCH_SLICES;
    while (this.#waiting.length > 0 && this.#calls < MAX_CALLS && (this.#calls === 0 || full())) this.#send();
    if (this.#waiting.length === 0 || this.#calls >= MAX_CALLS) return;
    this.#cancelDelay ??= this.#options.clock.after(BATCH_DELAY_MS, () => {
      this.#cancelDelay = undefined;
      if (this.#waiting.length > 0 && this.#calls < MAX_CALLS) this.#send();
      this.#sendWhatMay();
    });
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { slice } of this.#waiting) {
      if (count > 0 && (bytes + slice.length > BATCH_BYTES || count === BATCH_SLICES)) break;
      bytes += slice.length;
      count++;
    }
    const batch = this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
    if (this.#waiting.length === 0) {
      this.#cancelDelay?.();
      this.#cancelDelay = undefined;
    }
    return batch.filter(({ signal, resolve }) => {
      if (signal.aborted) resolve(toVivaceError(signal.reason));
      return !signal.aborted;
    });
  }

  #send(): void {
    const batch = this.#take();
    if (batch.length === 0) return;
    const { client, timeoutMs, onCall } = this.#options;
    const bytes = batch.reduce((sum, { slice }) => sum + slice.length, 0);
    this.#calls++;
    const end = () => {
      this.#calls--;
      this.#sendWhatMay();
    };
    client
      .push(
        batch.map(({ slice }) => slice),
        { timeoutMs },
      )
      .then(
        (outcomes) => {
          onCall(undefined, bytes);
          batch.forEach(({ resolve }, i) => resolve(outcomes[i] as PushOutcome));
          end();
        },
        (error: unknown) => {
          const failure = callFailure(error, batch.length);
          onCall(failure, bytes);
          for (const { resolve } of batch) resolve(failure);
          end();
        },
      );
  }
}

/** What is wrong with a call is not the fault of the requests in it: none of them may be thrown away for it. */
function callFailure(error: unknown, slices: number): VivaceError {
  const failure = toVivaceError(error);
  if (failure.kind === 'unavailable' || failure.kind === 'deadline') return failure;
  // One that is alone in its call may be too large, for ever.
  if (failure.kind === 'limited' && slices === 1) return failure;
  return new VivaceError('unavailable', failure.code, failure.message, { cause: failure });
}
