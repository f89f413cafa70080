import { clearBytes } from '@vivace/kernel';

/**
 * Shared memory that column sets gave back, for the next ones to fill. A page that a process touches for the first time
 * costs microseconds of the kernel's time, many times what it costs to clear it; and V8 does not know soon that a large
 * buffer is free.
 */
export class MemoryPool {
  readonly #maxBytes: number;
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #bytes = 0;

  /** Memory beyond `maxBytes` is not kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are kept and nobody uses. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All zero. */
  take(bytes: number): SharedArrayBuffer {
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer === undefined) return new SharedArrayBuffer(bytes);
    this.#bytes -= bytes;
    clearBytes(new Uint8Array(buffer));
    return buffer;
  }

  /** Nobody may read or write it any more. */
  give(buffer: SharedArrayBuffer): void {
    const bytes = buffer.byteLength;
    if (bytes === 0 || this.#bytes + bytes > this.#maxBytes) return;
    const free = this.#free.get(bytes);
    if (free === undefined) this.#free.set(bytes, [buffer]);
    else free.push(buffer);
    this.#bytes += bytes;
  }

  /** Lets go of all that is kept. */
  clear(): void {
    this.#free.clear();
    this.#bytes = 0;
  }
}
