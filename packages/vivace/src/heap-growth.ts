import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heap grow to four times what a collection has left before the next, which is the most that V8 itself lets a
 * heap grow. Ingesters and distributors hold little on the heap, and pass much through buffers beside it that count
 * towards it: V8 took that for pressure, and marked the whole heap for every 6 MB (decision 18).
 */
export function collectSeldom(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
