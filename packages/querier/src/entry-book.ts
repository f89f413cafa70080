import { assert } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';

/**
 * Entries on their way to a thread: each is sent once, and by its id from then on. Ten thousand entries take 40 ms to be
 * copied, and their ids less than one.
 */
export interface SentEntries {
  /** Ids of all, each of `ID_LENGTH`. */
  ids: string;
  /** Those that the thread does not have. */
  fresh: readonly BlockEntry[];
  /** The thread forgets what it has first. */
  forget: boolean;
}

const ID_LENGTH = 36;
/** Entries that a thread has at most: some 500 bytes each. */
const MAX_ENTRIES = 100_000;

/** What a thread has been sent. What is packed must be sent at once: messages are unpacked in their order. */
export class EntryBook {
  readonly #sent = new Set<string>();

  pack(entries: readonly BlockEntry[]): SentEntries {
    const forget = this.#sent.size + entries.length > MAX_ENTRIES;
    if (forget) this.#sent.clear();
    const fresh = entries.filter(({ id }) => !this.#sent.has(id));
    for (const { id } of fresh) this.#sent.add(id);
    return { ids: entries.map(({ id }) => id).join(''), fresh, forget };
  }
}

/** The thread's side. */
export class EntryShelf {
  readonly #entries = new Map<string, BlockEntry>();

  unpack({ ids, fresh, forget }: SentEntries): BlockEntry[] {
    if (forget) this.#entries.clear();
    for (const entry of fresh) this.#entries.set(entry.id, entry);
    return Array.from({ length: ids.length / ID_LENGTH }, (_, i) => {
      const entry = this.#entries.get(ids.slice(ID_LENGTH * i, ID_LENGTH * (i + 1)));
      assert(entry !== undefined, 'a thread has the entries that it was sent');
      return entry;
    });
  }
}
