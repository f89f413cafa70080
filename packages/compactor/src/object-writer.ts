import { freeMemory } from '@vivace/kernel';
import { type ObjectStore, UPLOAD_PIECE_MIN_BYTES, type Upload } from '@vivace/object-store';

/** Memory of an object that is being written, besides what is written in one call. */
const PIECE_BYTES = Math.max(8 * 1024 * 1024, UPLOAD_PIECE_MIN_BYTES);

/** Writes an object of any size: one put where it is small, else an upload of pieces. */
export class ObjectWriter {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #signal: AbortSignal;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #upload: Upload | undefined;
  #pieces = 0;
  #isFinished = false;
  /** Bytes so far. */
  length = 0;

  constructor({ store, key, signal }: { store: ObjectStore; key: string; signal: AbortSignal }) {
    this.#store = store;
    this.#key = key;
    this.#signal = signal;
  }

  /** The bytes are handed over: their memory is given back when they are written. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.length += bytes.length;
    if (this.#heldBytes >= PIECE_BYTES) await this.#addPiece();
  }

  async finish(): Promise<void> {
    const signal = this.#signal;
    if (this.#upload === undefined) {
      await this.#store.put(this.#key, this.#held, { signal });
      for (const part of this.#held) freeMemory(part);
    } else {
      if (this.#heldBytes > 0) await this.#addPiece();
      await this.#upload.complete({ signal });
    }
    this.#isFinished = true;
  }

  /** Gives up what is on its way, and deletes what is there; what stays is found by the sweep. */
  async abort(): Promise<void> {
    this.#held = [];
    const ended = this.#isFinished ? this.#store.delete(this.#key) : this.#upload?.abort();
    await ended?.catch(() => undefined);
  }

  async #addPiece(): Promise<void> {
    const signal = this.#signal;
    this.#upload ??= await this.#store.beginUpload(this.#key, { signal });
    await this.#upload.add(++this.#pieces, this.#held, { signal });
    for (const part of this.#held) freeMemory(part);
    this.#held = [];
    this.#heldBytes = 0;
  }
}
