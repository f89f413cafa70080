import { foldInSteps } from './in-steps.ts';

/** Replaces each number by the sum of it and all before it, as where things of these numbers end. */
export function addUp(counts: Int32Array): void {
  foldInSteps(counts.length, 0, addSome, counts);
}

function addSome(before: number, from: number, to: number, counts: Int32Array): number {
  let sum = before;
  for (let i = from; i < to; i++) {
    sum += counts[i] as number;
    counts[i] = sum;
  }
  return sum;
}
