import { askedOf, askFresh, askGroups, type GroupResult } from './ask.ts';
import { metricsQuestions } from './metrics-questions.ts';
import type { QuestionGroup } from './question.ts';
import type { RunContext } from './run-context.ts';
import { searchQuestions } from './search-questions.ts';
import type { Server } from './server.ts';
import { tagQuestions } from './tag-questions.ts';
import { askedTraces } from './trace-tests.ts';
import type { Truth } from './truth.ts';

const suites = new WeakMap<Truth, QuestionGroup[]>();

/** The questions about a dataset, worked out once: every run asks the same. None without facts. */
export function suiteOf(truth: Truth, nowMs: number): QuestionGroup[] {
  const { facts } = truth;
  if (facts === undefined) return [];
  let groups = suites.get(truth);
  if (groups === undefined) {
    const traces = askedTraces(truth, facts);
    groups = [...searchQuestions(traces), ...tagQuestions(traces), ...metricsQuestions(traces, nowMs)];
    suites.set(truth, groups);
  }
  return groups;
}

/**
 * Asks the whole suite, then each metrics query as the first of servers that have just started, where `restart` is
 * given. Resolves with the server that runs at the end.
 */
export async function runQueries(
  { options, dataset, clock, progress, signal }: RunContext,
  server: Server,
  restart: (() => Promise<Server>) | undefined,
): Promise<{ results: GroupResult[]; server: Server }> {
  const groups = suiteOf(dataset.truth, clock.nowMs());
  if (groups.length === 0) return { results: [], server };
  const asking = {
    tenants: options.dataset.tenants > 1,
    signal,
    onProgress: (asked: number) => progress.add(asked),
  };
  progress.begin('queries', askedOf(groups, options.queries));
  const results = await askGroups(server, groups, options.queries, asking);
  let last = server;
  if (restart !== undefined) {
    progress.begin('first queries', groups.filter(({ fresh }) => fresh).length * options.fresh);
    const start = async () => (last = await restart());
    await askFresh(start, groups, options.fresh, results, asking);
  }
  progress.end();
  return { results, server: last };
}
