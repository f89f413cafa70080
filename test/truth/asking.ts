import { decodeInstantStrictly, decodeSearchStrictly } from '@vivace/api/testing';
import { pause } from '../harness/load.ts';
import { type Answer, ask, type Parameters } from '../harness/query-client.ts';
import { readSpanIds } from '../harness/span-load.ts';
import { expectationOf, type Keeping } from './keeping.ts';
import type { Expectation, Ledger, SentRequest, SentTrace } from './ledger.ts';

/** Answers by kind of question, and what kept others from being whole. */
export interface AskCounts {
  whole: Record<'trace' | 'search' | 'count', number>;
  /** Spans that answers were checked for. */
  checkedSpans: number;
  /** Of those, acknowledged ones that were not there because they have expired. */
  expiredSpans: number;
  /** By reason: a status, or that the process was gone. */
  notWhole: Map<string, number>;
  /** Questions of which the patience took a part for an answer, and whole answers that came at the second attempt. */
  parts: number;
  second: number;
  /** Longest that a question was asked again and again before its answer was whole. */
  longestWaitMs: number;
}

/** An answer that is wrong: something acknowledged is lost, or doubled, or was never sent. */
class WrongAnswer extends Error {}

/** A question that was asked and had no whole answer. */
export interface Attempt {
  /** Whom it was asked of; undefined where nobody was ready. */
  http: string | undefined;
  /** A status, that the process was gone, `no answer`, or `PART`. */
  problem: string;
  beginMs: number;
  endMs: number;
}

/** What becomes of a question after attempts that failed: throws where they are too many. */
export type Patience = (attempts: readonly Attempt[]) => Promise<'again' | 'enough'>;

const ATTEMPT_TIMEOUT_MS = 40_000;
const PATIENCE_MS = 180_000;
/** An answer with the word that something of it is missing. What is in it is right. */
export const PART = 'part';
const NANOS = '000000';

export interface AskerOptions {
  ledger: Ledger;
  keeping: (trace: Pick<SentTrace, 'tenant' | 'marked'>) => Keeping;
  /** Whom to ask, after these attempts; undefined while none is ready. */
  server: (attempts: readonly Attempt[]) => { http: string } | undefined;
  /** Default: for three minutes, with a pause between attempts. */
  patience?: Patience;
  /** Asks for what there is where the answer cannot be whole; default: no. */
  takesParts?: boolean;
  /** Whether all of it is given up; a question that is under way then has no answer. */
  ended: () => boolean;
}

/** Asks questions until their answers are whole, and checks those against the ledger. */
export class Asker {
  readonly #options: AskerOptions;
  readonly counts: AskCounts = {
    whole: { trace: 0, search: 0, count: 0 },
    checkedSpans: 0,
    expiredSpans: 0,
    notWhole: new Map(),
    parts: 0,
    second: 0,
    longestWaitMs: 0,
  };

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  /** The trace by its id has every span that it must have once, and none that was not sent. */
  async checkTrace(trace: SentTrace): Promise<void> {
    const { ledger, keeping } = this.#options;
    await this.#untilWhole('trace', `trace ${trace.id} of ${trace.tenant}`, async (server, signal) => {
      const askedMs = Date.now();
      const sent = trace.requests.length;
      const answer = await readSpanIds(server, trace.tenant, trace.id, { ...this.#parts, signal });
      if (typeof answer === 'string') return answer;
      const { ids, partial } = answer;
      const times = new Uint8Array(trace.requests.length);
      for (const id of ids) {
        const index = ledger.indexOf(trace, id);
        if (index === undefined) throw new WrongAnswer(`span ${id} was never sent`);
        if (times[index] === 1) throw new WrongAnswer(`span ${index} (${id}) is there twice`);
        times[index] = 1;
      }
      const wrong: string[] = [];
      for (let index = 0; index < sent; index++) {
        const request = ledger.request(trace, index);
        const expected = expectationOf(request, keeping(trace), askedMs, Date.now());
        const there = times[index] === 1;
        if (!there && expected !== 'once' && request.acknowledgedMs !== undefined) this.counts.expiredSpans++;
        if (expected === (there ? 'never' : 'once') && (there || partial === undefined)) {
          wrong.push(`span ${index} of ${describe(request, askedMs)} is ${there ? 'still there' : 'lost'}`);
        }
      }
      if (wrong.length > 0) throw new WrongAnswer(`${wrong.length} of ${sent} spans: ${wrong.slice(0, 3).join('; ')}`);
      this.counts.checkedSpans += sent;
      return partial && PART;
    });
  }

  /** A search for the number of a request finds its traces and counts its spans. */
  async checkSearch(request: SentRequest): Promise<void> {
    const { ledger, keeping } = this.#options;
    const { number, tenant, startMs, parts } = request;
    const parameters = {
      q: `{ span.request = ${number} }`,
      ...this.#parts,
      limit: 1000,
      start: Math.floor(startMs / 1000) - 1,
      end: Math.ceil(startMs / 1000) + 1,
    };
    await this.#untilWhole('search', `search ${parameters.q} of ${tenant}`, async (server, signal) => {
      const askedMs = Date.now();
      const answer = await ask(server, '/api/search', parameters, { tenant, signal });
      const { problem, partial } = this.#judge(answer);
      if (problem !== undefined) return problem;
      const matched = new Map<string, number>();
      for (const { traceID, spanSet } of decodeSearchStrictly(answer.text).traces) {
        const id = traceID.padStart(32, '0');
        if (matched.has(id)) throw new WrongAnswer(`trace ${id} is listed twice`);
        if (ledger.traceOf(id) === undefined) throw new WrongAnswer(`trace ${id} was never sent`);
        matched.set(id, spanSet?.matched ?? 0);
      }
      for (const { trace, count } of parts) {
        const expected = expectationOf(request, keeping(trace), askedMs, Date.now());
        const found = matched.get(trace.id) ?? 0;
        matched.delete(trace.id);
        const right = partial === undefined ? isRight(expected, found, count) : found <= count && expected !== 'never';
        if (right) continue;
        const told = `${found} of ${count} spans of trace ${trace.id} are found`;
        throw new WrongAnswer(`${told}, which must be there ${expected}; ${describe(request, askedMs)}`);
      }
      if (matched.size > 0) throw new WrongAnswer(`traces of other requests are found: ${[...matched.keys()].join()}`);
      this.counts.checkedSpans += request.spans;
      return partial && PART;
    });
  }

  /** A metric over the spans of a tenant that begin within (`fromMs`, `toMs`] counts each once. */
  async checkCount(tenant: string, fromMs: number, toMs: number): Promise<void> {
    const { ledger, keeping } = this.#options;
    const { retentionMs = Number.POSITIVE_INFINITY } = keeping({ tenant, marked: false });
    const what = `count of ${tenant} from ${fromMs} to ${toMs}`;
    await this.#untilWhole('count', what, async (server, signal) => {
      const askedMs = Date.now();
      const parameters: Parameters = {
        q: '{} | count_over_time()',
        ...this.#parts,
        start: `${fromMs}${NANOS}`,
        end: `${toMs}${NANOS}`,
      };
      const answer = await ask(server, '/api/metrics/query', parameters, { tenant, signal });
      const { problem, partial } = this.#judge(answer);
      if (problem !== undefined) return problem;
      const { series = [] } = decodeInstantStrictly(answer.text);
      const counted = Number(series[0]?.value ?? 0);
      const { due, sent } = ledger.count(tenant, fromMs, toMs, { askedMs, keptMs: Date.now() - retentionMs });
      if ((counted < due && partial === undefined) || counted > sent) {
        throw new WrongAnswer(`${counted} spans are counted, of ${due} acknowledged and kept, and ${sent} sent`);
      }
      this.counts.checkedSpans += counted;
      return partial && PART;
    });
  }

  get #parts(): { partial?: 'true' } {
    return this.#options.takesParts === true ? { partial: 'true' } : {};
  }

  /** 503 and 429 ask to come again, 504 says that it took too long; anything else is a defect. */
  #judge({ status, text, partial }: Answer): { problem?: string; partial?: string | undefined } {
    if (status === 503 || status === 429 || status === 504) return { problem: `${status}` };
    if (status !== 200) throw new WrongAnswer(`${status} ${text.slice(0, 300)}`);
    if (partial !== undefined && this.#options.takesParts !== true) {
      throw new WrongAnswer(`200 with a part that was not asked for: ${partial}`);
    }
    return { partial };
  }

  /** `attempt` returns what keeps the answer from being whole, undefined for one that is whole and right. */
  async #untilWhole(
    kind: keyof AskCounts['whole'],
    what: string,
    attempt: (server: { http: string }, signal: AbortSignal) => Promise<string | undefined>,
  ): Promise<void> {
    const { counts } = this;
    const firstMs = Date.now();
    const { server, ended, patience = patient } = this.#options;
    const attempts: Attempt[] = [];
    while (!ended()) {
      const current = server(attempts);
      const beginMs = Date.now();
      const problem = current === undefined ? 'no process' : await attemptOnce(what, current, attempt);
      const endMs = Date.now();
      if (problem === undefined) {
        counts.whole[kind]++;
        if (attempts.length === 1) counts.second++;
        counts.longestWaitMs = Math.max(counts.longestWaitMs, endMs - firstMs);
        return;
      }
      counts.notWhole.set(problem, (counts.notWhole.get(problem) ?? 0) + 1);
      attempts.push({ http: current?.http, problem, beginMs, endMs });
      try {
        if ((await patience(attempts)) === 'again') continue;
      } catch (error) {
        throw new WrongAnswer(`${what}: ${(error as Error).message}`);
      }
      counts.parts++;
      counts.longestWaitMs = Math.max(counts.longestWaitMs, endMs - firstMs);
      return;
    }
  }
}

async function patient(attempts: readonly Attempt[]): Promise<'again'> {
  const [first, last] = [attempts[0], attempts.at(-1)] as [Attempt, Attempt];
  if (last.endMs - first.beginMs > PATIENCE_MS) {
    throw new WrongAnswer(`not whole for ${PATIENCE_MS / 1000} s (${last.problem})`);
  }
  await pause(200);
  return 'again';
}

function isRight(expected: Expectation, found: number, count: number): boolean {
  if (expected === 'once') return found === count;
  return found === 0 || (expected === 'once or never' && found === count);
}

async function attemptOnce(
  what: string,
  server: { http: string },
  attempt: (server: { http: string }, signal: AbortSignal) => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await attempt(server, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS));
  } catch (error) {
    if (error instanceof WrongAnswer) throw new WrongAnswer(`${what}: ${error.message}`);
    // What fetch throws when the process dies under it, or says nothing.
    if (error instanceof TypeError) return 'gone';
    if (error instanceof Error && error.name === 'TimeoutError') return 'no answer';
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

function describe({ number, startMs, acknowledgedMs }: SentRequest, nowMs: number): string {
  const acknowledged =
    acknowledgedMs === undefined ? 'never acknowledged' : `acknowledged after ${acknowledgedMs - startMs} ms`;
  return `request ${number} (${((nowMs - startMs) / 1000).toFixed(1)} s old, ${acknowledged})`;
}
