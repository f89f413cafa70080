/**
 * Arrays that one row group after another is put together in. Memory that were new for each would be garbage of a hundred
 * megabytes before the collector hears of it.
 */
export class Buffers {
  readonly #arrays = new Map<string, ArrayBuffer>();

  /** At least so many elements, with what was there before. The same name gives the same memory. */
  int32(name: string, length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#memory(name, 4 * length));
  }

  uint32(name: string, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#memory(name, 4 * length));
  }

  uint8(name: string, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory(name, length));
  }

  /** Lets go of what is larger than this: one trace may be as large as a block. */
  trim(maxBytes: number): void {
    for (const [name, memory] of this.#arrays) if (memory.byteLength > maxBytes) this.#arrays.delete(name);
  }

  #memory(name: string, bytes: number): ArrayBuffer {
    const known = this.#arrays.get(name);
    if (known !== undefined && known.byteLength >= bytes) return known;
    const made = new ArrayBuffer(Math.ceil((bytes * 1.1) / 64) * 64);
    this.#arrays.set(name, made);
    return made;
  }
}
