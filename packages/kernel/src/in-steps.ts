// V8 compiles a function while it runs a long loop, and that code is not used by the next call: where a function runs only
// a few times, each over a hundred thousand rows, it is compiled each time, and is slow until it is. Of a function that
// is called for some thousands of rows at a time the code stays. Ingesting the first million spans had 150 compilations
// of loops in it, a third of the time that all took.

const STEP = 4096;

/** Calls `step(from, to, ...over)` for all of `count` rows, in their order; `to` is not included. */
export function inSteps<Over extends unknown[]>(
  count: number,
  step: (from: number, to: number, ...over: Over) => void,
  ...over: Over
): void {
  for (let from = 0; from < count; from += STEP) step(from, Math.min(from + STEP, count), ...over);
}

/** The same, where each step is given what the one before has returned; `before` at first. Returns what the last does. */
export function foldInSteps<Result, Over extends unknown[]>(
  count: number,
  before: Result,
  step: (before: Result, from: number, to: number, ...over: Over) => Result,
  ...over: Over
): Result {
  let result = before;
  for (let from = 0; from < count; from += STEP) result = step(result, from, Math.min(from + STEP, count), ...over);
  return result;
}
