import type { NaiveSpan } from './model.ts';

/** The intervals that spans are counted in by their start: the first is (start, start + step]. */
export interface Intervals {
  start: bigint;
  step: bigint;
  count: number;
}

export function intervalOf(span: NaiveSpan, { start, step }: Intervals): number {
  return Number((span.startUnixNano - start - 1n) / step);
}
