/**
 * Gives the memory of arrays back at once: the collector hears of it too late, when a hundred megabytes have come together.
 * Nothing may refer to it any more. What is part of a larger buffer stays.
 */
export function freeMemory(...arrays: readonly (Uint8Array | Int32Array | Uint32Array)[]): void {
  for (const { buffer, byteLength } of arrays) {
    if (buffer instanceof ArrayBuffer && byteLength > 0 && buffer.byteLength === byteLength) buffer.transfer(0);
  }
}
