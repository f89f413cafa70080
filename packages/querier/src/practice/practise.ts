import type { Question, ResultOf } from '@vivace/block-query';
import type { BlockEntry } from '@vivace/manifest';
import { type PracticeWindow, practiceQuestions } from './practice-questions.ts';
import type { PracticeSubjects } from './subjects.ts';

/** The answer to a question asked for practice, or a trace that was looked up: OTLP TracesData. */
export type PracticeAnswer = QuestionAnswer | { kind: 'trace'; trace: Uint8Array };

export type QuestionAnswer = { [Kind in Question['kind']]: { kind: Kind; result: ResultOf[Kind] } }[Question['kind']];

/** A query thread that practises when nobody waits for it. */
export interface PractisingThread {
  subjects(entry: BlockEntry): Promise<PracticeSubjects | undefined>;
  /** Looks at the first so many batches of each block. */
  answer(question: Question, entries: readonly BlockEntry[], maxBatches: number): Promise<QuestionAnswer>;
  find(id: Uint8Array, entries: readonly BlockEntry[]): Promise<Uint8Array>;
}

/** Rounds over so many batches, however large blocks are; the last is long enough for what is compiled in loops. */
const ROUNDS = [2, 2, 2, 2, 8];
const LOOKUPS = 5;
/** Of what is looked up for practice. */
export const PRACTICE_TRACE_BYTES = 1 << 20;

/** Blocks that are practised on. */
export const PRACTICE_BLOCKS = Math.max(...ROUNDS);

/**
 * Asks the common kinds of questions about blocks that are there, so that the code that answers is compiled for what
 * they hold before somebody waits: what runs for the first time takes ten times as long as later. Made-up blocks
 * do not do: the compiler bets on shapes of objects and on call targets, and real ones prove other.
 */
export async function practiseQueries(
  thread: PractisingThread,
  entries: readonly BlockEntry[],
  use: (answer: PracticeAnswer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const [first] = entries;
  const subjects = first && (await thread.subjects(first));
  if (subjects === undefined) return;
  for (const [round, batches] of ROUNDS.entries()) {
    const asked = entries.slice(0, batches);
    const maxBatches = Math.ceil(batches / asked.length);
    for (let i = 0; i < LOOKUPS; i++) {
      signal.throwIfAborted();
      const id = subjects.traceIds[round * LOOKUPS + i];
      if (id !== undefined) await use({ kind: 'trace', trace: await thread.find(id, asked) });
    }
    for (const question of practiceQuestions(subjects, windowOf(asked), round)) {
      signal.throwIfAborted();
      // One that is refused, because it would make too many series, is no practice; the others are.
      const answer = await thread.answer(question, asked, maxBatches).catch(() => undefined);
      if (answer !== undefined) await use(answer);
    }
  }
}

function windowOf(entries: readonly BlockEntry[]): PracticeWindow {
  let [startUnixNano, endUnixNano] = [entries[0]?.minStart ?? 0n, 0n];
  for (const { minStart, maxEnd } of entries) {
    if (minStart < startUnixNano) startUnixNano = minStart;
    if (maxEnd > endUnixNano) endUnixNano = maxEnd;
  }
  return { startUnixNano, endUnixNano };
}
