/** A word whose lowest `count` bits are set, of 0 to 32. A shift, because a power of two is a call. */
export function lowBits(count: number): number {
  return count === 32 ? -1 : (1 << count) - 1;
}
