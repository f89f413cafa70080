import { decodeInstantStrictly, decodeSearchStrictly } from '@vivace/api/testing';
import { type Answer, ask, type Parameters } from '../harness/query-client.ts';
import { fetchSpanIds } from '../harness/span-load.ts';
import { expectationOf, type Keeping } from './keeping.ts';
import type { Ledger, SentRequest, SentTrace } from './ledger.ts';

/** Answers by kind of question, and what kept others from being whole. */
export interface AskCounts {
  whole: Record<'trace' | 'search' | 'count', number>;
  /** Spans that answers were checked for. */
  checkedSpans: number;
  /** Of those, acknowledged ones that were not there because they have expired. */
  expiredSpans: number;
  /** By reason: a status, or that the process was gone. Each is asked again. */
  notWhole: Map<string, number>;
  /** Longest that a question was asked again and again before its answer was whole. */
  longestWaitMs: number;
}

/** An answer that is wrong: something acknowledged is lost, or doubled, or was never sent. */
class WrongAnswer extends Error {}

const ATTEMPT_TIMEOUT_MS = 40_000;
const PATIENCE_MS = 180_000;
const NANOS = '000000';

export interface AskerOptions {
  ledger: Ledger;
  keeping: (trace: Pick<SentTrace, 'tenant' | 'marked'>) => Keeping;
  /** The process of now; undefined while none is ready. */
  server: () => { http: string } | undefined;
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
      const found = await fetchSpanIds(server, trace.tenant, trace.id, signal);
      if (found === undefined) return '503';
      const times = new Uint8Array(trace.requests.length);
      for (const id of found) {
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
        if (expected === (there ? 'never' : 'once')) {
          wrong.push(`span ${index} of ${describe(request, askedMs)} is ${there ? 'still there' : 'lost'}`);
        }
      }
      if (wrong.length > 0) throw new WrongAnswer(`${wrong.length} of ${sent} spans: ${wrong.slice(0, 3).join('; ')}`);
      this.counts.checkedSpans += sent;
      return undefined;
    });
  }

  /** A search for the number of a request finds its traces and counts its spans. */
  async checkSearch(request: SentRequest): Promise<void> {
    const { ledger, keeping } = this.#options;
    const { number, tenant, startMs, parts } = request;
    const parameters = {
      q: `{ span.request = ${number} }`,
      limit: 1000,
      start: Math.floor(startMs / 1000) - 1,
      end: Math.ceil(startMs / 1000) + 1,
    };
    await this.#untilWhole('search', `search ${parameters.q} of ${tenant}`, async (server, signal) => {
      const askedMs = Date.now();
      const answer = await ask(server, '/api/search', parameters, { tenant, signal });
      const problem = notWhole(answer);
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
        const right =
          expected === 'once' ? found === count : expected === 'never' ? found === 0 : found === 0 || found === count;
        if (right) continue;
        const told = `${found} of ${count} spans of trace ${trace.id} are found`;
        throw new WrongAnswer(`${told}, which must be there ${expected}; ${describe(request, askedMs)}`);
      }
      if (matched.size > 0) throw new WrongAnswer(`traces of other requests are found: ${[...matched.keys()].join()}`);
      this.counts.checkedSpans += request.spans;
      return undefined;
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
        start: `${fromMs}${NANOS}`,
        end: `${toMs}${NANOS}`,
      };
      const answer = await ask(server, '/api/metrics/query', parameters, { tenant, signal });
      const problem = notWhole(answer);
      if (problem !== undefined) return problem;
      const { series = [] } = decodeInstantStrictly(answer.text);
      const counted = Number(series[0]?.value ?? 0);
      const { due, sent } = ledger.count(tenant, fromMs, toMs, { askedMs, keptMs: Date.now() - retentionMs });
      if (counted < due || counted > sent) {
        throw new WrongAnswer(`${counted} spans are counted, of ${due} acknowledged and kept, and ${sent} sent`);
      }
      this.counts.checkedSpans += counted;
      return undefined;
    });
  }

  /** `attempt` returns what keeps the answer from being whole, undefined for one that is whole and right. */
  async #untilWhole(
    kind: keyof AskCounts['whole'],
    what: string,
    attempt: (server: { http: string }, signal: AbortSignal) => Promise<string | undefined>,
  ): Promise<void> {
    const beginMs = performance.now();
    const { server, ended } = this.#options;
    for (let waitedMs = 0; !ended(); ) {
      const current = server();
      const problem = current === undefined ? 'no process' : await attemptOnce(what, current, attempt);
      waitedMs = performance.now() - beginMs;
      if (problem === undefined) {
        this.counts.whole[kind]++;
        this.counts.longestWaitMs = Math.max(this.counts.longestWaitMs, Math.round(waitedMs));
        return;
      }
      this.counts.notWhole.set(problem, (this.counts.notWhole.get(problem) ?? 0) + 1);
      if (waitedMs > PATIENCE_MS) throw new WrongAnswer(`${what}: not whole for ${PATIENCE_MS / 1000} s (${problem})`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
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

/** 503 and 429 ask to come again, 504 says that it took too long; anything else is a defect. */
function notWhole({ status, text, partial }: Answer): string | undefined {
  if (status === 503 || status === 429 || status === 504) return `${status}`;
  if (status !== 200) throw new WrongAnswer(`${status} ${text.slice(0, 300)}`);
  if (partial !== undefined) throw new WrongAnswer(`200 with a part that was not asked for: ${partial}`);
  return undefined;
}

function describe({ number, startMs, acknowledgedMs }: SentRequest, nowMs: number): string {
  const acknowledged =
    acknowledgedMs === undefined ? 'never acknowledged' : `acknowledged after ${acknowledgedMs - startMs} ms`;
  return `request ${number} (${((nowMs - startMs) / 1000).toFixed(1)} s old, ${acknowledged})`;
}
