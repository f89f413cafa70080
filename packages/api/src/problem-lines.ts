/** More than these are counted, not told. */
const MAX_PROBLEMS_TOLD = 5;
const MAX_PROBLEM_LENGTH = 300;

/** What could not be read, as one line; undefined when nothing is known to be missing. */
export function problemLine(problems: readonly string[]): string | undefined {
  if (problems.length === 0) return undefined;
  const told = problems.slice(0, MAX_PROBLEMS_TOLD).map((problem) => problem.slice(0, MAX_PROBLEM_LENGTH));
  const untold = problems.length - told.length;
  return untold > 0 ? `${told.join('; ')}; and ${untold} more` : told.join('; ');
}
