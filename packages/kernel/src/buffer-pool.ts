import { assert } from './errors.ts';

/**
 * Reusable buffers on shared memory. A request body is written into one, scanned by the builder's thread
 * and written to the log by the main thread, without a copy and without garbage.
 */
export interface PooledBuffer {
  /** As long as was asked for. The view is on a SharedArrayBuffer that may be larger. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Gives the memory back; the bytes must not be touched afterwards. Exactly once. */
  release(): void;
}

export interface BufferPool {
  acquire(length: number): PooledBuffer;
  /** Bytes handed out and not released. */
  readonly bytesInUse: number;
}

const SMALLEST = 64 * 1024;

/**
 * A pool of power-of-two size classes that keeps at most `maxIdleBytes` for reuse. It does not bound what is
 * in use: who acquires does, with `bytesInUse`.
 */
export function createBufferPool({ maxIdleBytes }: { maxIdleBytes: number }): BufferPool {
  const idle = new Map<number, SharedArrayBuffer[]>();
  let idleBytes = 0;
  let bytesInUse = 0;
  return {
    get bytesInUse() {
      return bytesInUse;
    },
    acquire(length) {
      const size = sizeClass(length);
      let memory = idle.get(size)?.pop();
      if (memory) idleBytes -= size;
      else memory = new SharedArrayBuffer(size);
      bytesInUse += size;
      let released = false;
      return {
        bytes: new Uint8Array(memory, 0, length),
        release() {
          assert(!released, 'a pooled buffer was released twice');
          released = true;
          bytesInUse -= size;
          if (idleBytes + size > maxIdleBytes) return;
          idleBytes += size;
          const free = idle.get(size);
          if (free) free.push(memory);
          else idle.set(size, [memory]);
        },
      };
    },
  };
}

function sizeClass(length: number): number {
  let size = SMALLEST;
  while (size < length) size *= 2;
  return size;
}
