import type { ByteRange } from '@vivace/object-store';

interface Shelved {
  id: string;
  owner: string;
  bytes: Uint8Array;
  holders: number;
  /** Its owner does not name it any more, and never will again. */
  isStale: boolean;
}

/**
 * Chunks of heads in memory: the ones used last within `maxBytes`, and whatever queries under way hold. Each has an
 * owner, the ingester and tenant that it is of.
 */
export class ChunkShelf {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #chunks = new Map<string, Shelved>();
  readonly #owned = new Map<string, Map<string, Shelved>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Ids of at most so many chunks of an owner, and what keeps these here until it is called. */
  holdOwned(owner: string, most: number): { ids: string[]; release: () => void } {
    const held = [...(this.#owned.get(owner)?.values() ?? [])].slice(-most);
    return { ids: held.map(({ id }) => id), release: this.#hold(held) };
  }

  put(owner: string, id: string, bytes: Uint8Array): void {
    if (this.#chunks.has(id)) return;
    const chunk = { id, owner, bytes, holders: 0, isStale: false };
    this.#chunks.set(id, chunk);
    let owned = this.#owned.get(owner);
    if (owned === undefined) this.#owned.set(owner, (owned = new Map()));
    owned.set(id, chunk);
    this.#bytes += bytes.length;
  }

  /**
   * Keeps what an owner has named, all of it, until the returned function is called. Its `others` stay as long as there
   * is room; the rest of the owner's can go.
   */
  holdNamed(owner: string, ids: ReadonlySet<string>, others?: ReadonlySet<string>): () => void {
    const named: Shelved[] = [];
    for (const chunk of this.#owned.get(owner)?.values() ?? []) {
      if (!ids.has(chunk.id)) {
        if (others?.has(chunk.id) === true) continue;
        chunk.isStale = true;
        if (chunk.holders === 0) this.#drop(chunk);
        continue;
      }
      this.#chunks.delete(chunk.id);
      this.#chunks.set(chunk.id, chunk);
      named.push(chunk);
    }
    const release = this.#hold(named);
    this.#trim();
    return release;
  }

  /** Keeps these here until the returned function is called; undefined where one of them is not here. */
  holdAll(ids: readonly string[]): (() => void) | undefined {
    const held: Shelved[] = [];
    for (const id of ids) {
      const chunk = this.#chunks.get(id);
      if (chunk === undefined) return undefined;
      held.push(chunk);
    }
    return this.#hold(held);
  }

  /** A copy, which can go to another thread; undefined where the chunk is not here. */
  read(id: string, { offset, length }: ByteRange): Uint8Array | undefined {
    return this.#chunks.get(id)?.bytes.slice(offset, offset + length);
  }

  #hold(chunks: readonly Shelved[]): () => void {
    for (const chunk of chunks) chunk.holders++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const chunk of chunks) {
        chunk.holders--;
        if (chunk.isStale && chunk.holders === 0) this.#drop(chunk);
      }
      this.#trim();
    };
  }

  #trim(): void {
    for (const chunk of this.#chunks.values()) {
      if (this.#bytes <= this.#maxBytes) return;
      if (chunk.holders === 0) this.#drop(chunk);
    }
  }

  #drop(chunk: Shelved): void {
    if (!this.#chunks.delete(chunk.id)) return;
    this.#bytes -= chunk.bytes.length;
    const owned = this.#owned.get(chunk.owner);
    owned?.delete(chunk.id);
    if (owned?.size === 0) this.#owned.delete(chunk.owner);
  }
}
