/** An object of a sequence, and what reading it will take. */
export interface Ahead {
  number: number;
  bytes: number;
}

/** Objects that are read before they are asked for, at a time. */
export const MAX_OBJECTS_AHEAD = 16;
/** Bytes of them, unless it is one. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads the objects of a sequence in its order, and the next ones at the same time: of a bucket each takes as long as
 * its answer is on its way. Whoever stops asking has at most a few read for nothing.
 */
export class ReadAhead<Read = Uint8Array> {
  readonly #read: (at: Ahead) => Promise<Read>;
  readonly #maxObjects: number;
  readonly #reading = new Map<number, Promise<Read>>();

  constructor(read: (at: Ahead) => Promise<Read>, maxObjects = MAX_OBJECTS_AHEAD) {
    this.#read = read;
    this.#maxObjects = maxObjects;
  }

  /** What was read of the first of `rest`, which may come next being the others. A failure is of this call alone. */
  async next(rest: readonly Ahead[]): Promise<Read> {
    const [first] = rest;
    if (first === undefined) throw new RangeError('nothing to read');
    const wanted = new Set<number>();
    let bytes = 0;
    for (const at of rest.slice(0, this.#maxObjects)) {
      bytes += at.bytes;
      if (bytes > MAX_BYTES && wanted.size > 0) break;
      wanted.add(at.number);
      if (this.#reading.has(at.number)) continue;
      const read = this.#read(at);
      // It is asked for later, or never.
      read.catch(() => undefined);
      this.#reading.set(at.number, read);
    }
    for (const number of this.#reading.keys()) if (!wanted.has(number)) this.#reading.delete(number);
    const mine = this.#reading.get(first.number) as Promise<Read>;
    this.#reading.delete(first.number);
    return mine;
  }
}
