import { toVivaceError } from '@vivace/kernel';
import type { HeadBuilder, PushReply } from './head-builder.ts';
import type { PushOutcome } from './heads.ts';

/** Batches on their way to the builder: one that it works on and one that waits for it. */
const MAX_BATCHES = 2;

interface Entry {
  head: string;
  bytes: Uint8Array;
  accept: (outcome: PushOutcome) => void;
  fail: (error: unknown) => void;
}

/**
 * Sends requests to the builder in batches of whatever arrived meanwhile, because a message to a thread costs
 * as much as scanning a hundred spans. `accept` is called synchronously, in the order of the requests and of
 * the builder's other answers: the log's order of records follows from it.
 */
export class PushQueue {
  readonly #builder: HeadBuilder;
  readonly #onReply: (reply: PushReply) => void;
  #waiting: Entry[] = [];
  #batches = 0;

  /** `onReply` is called after the requests of a reply were accepted. */
  constructor(builder: HeadBuilder, onReply: (reply: PushReply) => void) {
    this.#builder = builder;
    this.#onReply = onReply;
  }

  push(entry: Entry): void {
    this.#waiting.push(entry);
    if (this.#batches < MAX_BATCHES) this.#send();
  }

  #send(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#batches++;
    this.#builder.push(batch.map(({ head, bytes }) => ({ head, bytes }))).then(
      (reply) => {
        this.#batches--;
        batch.forEach((entry, i) => accept(entry, reply.outcomes[i] as PushOutcome));
        this.#onReply(reply);
        if (this.#waiting.length > 0) this.#send();
      },
      (error: unknown) => {
        this.#batches--;
        for (const entry of batch) entry.fail(toVivaceError(error));
        if (this.#waiting.length > 0) this.#send();
      },
    );
  }
}

/** What goes wrong with one request is told to its sender, and does not keep the others from theirs. */
function accept(entry: Entry, outcome: PushOutcome): void {
  try {
    entry.accept(outcome);
  } catch (error) {
    entry.fail(toVivaceError(error));
  }
}
