/** One request of a suite, and what its answer must be. */
export interface Question {
  /** Of round `round`: bounds move a little, so that no round can be answered from the answer of another. */
  path: (round: number) => string;
  /** What is wrong with an answer of status 200; undefined: nothing. */
  wrong: (answer: unknown) => string | undefined;
}

/** Questions of one kind: a line of the table. */
export interface QuestionGroup {
  name: string;
  questions: Question[];
  /** Asked first thing of a server that has just started, too. */
  fresh: boolean;
}

export interface Range {
  startMs: number;
  endMs: number;
}

/** Room around what was sent: seconds are cut, and traces may be in several intervals. */
const MARGIN_S = 60;

export function pathOf(path: string, { startMs, endMs }: Range, parameters: Record<string, string>, back = 0): string {
  const query = new URLSearchParams({
    ...parameters,
    start: String(Math.floor(startMs / 1000) - MARGIN_S - back),
    end: String(Math.ceil(endMs / 1000) + MARGIN_S + back),
  });
  return `${path}?${query.toString()}`;
}

/** A list in an answer: absent where it is empty, as protobuf's JSON has it. */
export function listAt<T>(answer: unknown, name: string): T[] {
  const value = (answer as Record<string, unknown>)[name];
  return Array.isArray(value) ? (value as T[]) : [];
}
