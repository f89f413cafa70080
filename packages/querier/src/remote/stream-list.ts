import { type Clock, isUuidV7, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { withPatience } from '../store-patience.ts';

const STREAMS_PREFIX = 'streams/';
/** More are no installation of ours, and no list that is kept in memory. */
const MAX_STREAMS = 100_000;

/** The streams of the log that are not closed, as the store listed them at one moment. */
export interface ListedStreams {
  streams: readonly string[];
  /** When the list was complete: what is not in it was closed before, and is in every root read from then on. */
  atMs: number;
}

/** Lists the streams, for all tenants and queries at once. */
export class StreamList {
  readonly #options: { store: ObjectStore; clock: Clock };
  #last: ListedStreams | undefined;
  #listing: { startedMs: number; list: Promise<ListedStreams> } | undefined;

  constructor(options: { store: ObjectStore; clock: Clock }) {
    this.#options = options;
  }

  /** One that is at most so old; 0: one that is begun now. */
  async list(maxAgeMs: number): Promise<ListedStreams> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#last !== undefined && maxAgeMs > 0 && nowMs - this.#last.atMs <= maxAgeMs) return this.#last;
    if (this.#listing !== undefined && this.#listing.startedMs >= nowMs - maxAgeMs) return this.#listing.list;
    const list = this.#list();
    const listing = { startedMs: nowMs, list };
    this.#listing = listing;
    try {
      const listed = await list;
      if (this.#last === undefined || this.#last.atMs < listed.atMs) this.#last = listed;
      return listed;
    } finally {
      if (this.#listing === listing) this.#listing = undefined;
    }
  }

  async #list(): Promise<ListedStreams> {
    const { store, clock } = this.#options;
    const streams: string[] = [];
    for (let after = ''; ; ) {
      const from = after;
      const { objects, next } = await withPatience(clock, (signal) =>
        store.list(STREAMS_PREFIX, { after: from, signal }),
      );
      for (const { key } of objects) {
        const id = key.slice(STREAMS_PREFIX.length);
        if (isUuidV7(id)) streams.push(id);
      }
      if (streams.length > MAX_STREAMS) {
        throw new VivaceError('limited', 'streams', `the bucket lists more than ${MAX_STREAMS} streams of the log`);
      }
      if (next === undefined) return { streams, atMs: clock.monotonicMs() };
      after = next;
    }
  }
}
