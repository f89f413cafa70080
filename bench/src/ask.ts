import type { Agent } from 'node:http';
import { bodyText, call, keepAlive } from './http.ts';
import type { Question, QuestionGroup } from './question.ts';
import { cpuSeconds, type Server } from './server.ts';
import { type Latency, latency, median } from './statistics.ts';
import { tenantName } from './truth.ts';

/** How one group of questions was answered. */
export interface GroupResult {
  name: string;
  asked: number;
  /** Answered, whole, and as the truth has it. */
  right: number;
  /** Of the rounds after the first, which only warms up. */
  latency: Latency;
  /** User and system time of the process tree; undefined where it cannot be read. */
  cpuMs: number | undefined;
  /** Of the first question to a server that has just started: the median of several servers. */
  firstMs: number | undefined;
  complaints: string[];
}

export interface AskOptions {
  /** Send the tenant's header. */
  tenants: boolean;
  signal: AbortSignal;
}

export interface Asked {
  ms: number;
  /** What was wrong. */
  wrong: string | undefined;
}

const MAX_COMPLAINTS = 3;

/** One question and its answer's verdict. */
export async function ask(
  server: Server,
  { path, wrong }: Question,
  round: number,
  agent: Agent,
  { tenants, signal }: AskOptions,
): Promise<Asked> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (tenants) headers['x-scope-orgid'] = tenantName(0);
  const answer = await call(new URL(path(round), server.api), { headers, agent, signal });
  if (answer.status !== 200) return { ms: answer.ms, wrong: `${path(round)}: ${answer.status} ${bodyText(answer)}` };
  return { ms: answer.ms, wrong: judgeText(Buffer.from(answer.body).toString('utf8'), path(round), wrong) };
}

function judgeText(body: string, path: string, wrong: Question['wrong']): string | undefined {
  let answer: { status?: string; message?: string };
  try {
    answer = JSON.parse(body) as typeof answer;
  } catch {
    return `${path}: not JSON: ${body.slice(0, 200)}`;
  }
  if (answer.status === 'PARTIAL') return `${path}: PARTIAL: ${answer.message}`;
  return wrong(answer);
}

/** How often each question of a group is asked so that `count` are asked of the group. */
function roundsOf({ questions }: QuestionGroup, count: number): number {
  return questions.length === 0 ? 0 : Math.ceil(count / questions.length);
}

/** How many questions `askGroups` asks. */
export function askedOf(groups: readonly QuestionGroup[], count: number): number {
  return groups.reduce((sum, group) => sum + group.questions.length * (1 + roundsOf(group, count)), 0);
}

/**
 * Asks every question of every group once to warm up, and then all again until `count` were asked of the group; all
 * answers are judged.
 */
export async function askGroups(
  server: Server,
  groups: readonly QuestionGroup[],
  count: number,
  options: AskOptions & { onProgress: (asked: number) => void },
): Promise<GroupResult[]> {
  const agent = keepAlive(1);
  const results: GroupResult[] = [];
  try {
    for (const group of groups) {
      const { name, questions } = group;
      const rounds = roundsOf(group, count);
      const result = emptyResult(name);
      const timesMs: number[] = [];
      let before = cpuSeconds(server);
      for (let round = 0; round <= rounds; round++) {
        // Round 0 belongs to the warming up.
        if (round === 1) before = cpuSeconds(server);
        for (const question of questions) {
          const { ms, wrong } = await ask(server, question, round, agent, options);
          note(result, wrong);
          if (round > 0) timesMs.push(ms);
          options.onProgress(1);
        }
      }
      const after = cpuSeconds(server);
      result.latency = latency(timesMs);
      if (before !== undefined && after !== undefined) result.cpuMs = ((after - before) * 1000) / timesMs.length;
      results.push(result);
    }
  } finally {
    agent.destroy();
  }
  return results;
}

/**
 * Asks each group that wants it `times` times as the first question of a server that has just started, and adds the
 * medians to `results`.
 */
export async function askFresh(
  restart: () => Promise<Server>,
  groups: readonly QuestionGroup[],
  times: number,
  results: readonly GroupResult[],
  options: AskOptions & { onProgress: (asked: number) => void },
): Promise<void> {
  for (const { name, questions, fresh } of groups) {
    const result = results.find((one) => one.name === name);
    const [question] = questions;
    if (!fresh || times === 0 || result === undefined || question === undefined) continue;
    const timesMs: number[] = [];
    for (let time = 0; time < times; time++) {
      const server = await restart();
      const agent = keepAlive(1);
      try {
        const { ms, wrong } = await ask(server, question, 0, agent, options);
        note(result, wrong);
        timesMs.push(ms);
      } finally {
        agent.destroy();
      }
      options.onProgress(1);
    }
    result.firstMs = median(timesMs);
  }
}

function emptyResult(name: string): GroupResult {
  return { name, asked: 0, right: 0, latency: latency([]), cpuMs: undefined, firstMs: undefined, complaints: [] };
}

function note(result: GroupResult, wrong: string | undefined): void {
  result.asked++;
  if (wrong === undefined) result.right++;
  else if (result.complaints.length < MAX_COMPLAINTS) result.complaints.push(wrong);
}
