import type { FindTraceOptions, TimeRange, TraceAnswer, TraceFinder } from '@vivace/api';
import type { Question, ResultOf, SearchRequest, SearchResult } from '@vivace/block-query';
import type { Member } from '@vivace/cluster';
import { packQuestion, type QueryClient } from '@vivace/rpc';
import type { Dispatcher } from './dispatcher.ts';
import type { QueryAnswer, Querying } from './querying.ts';

export interface RemoteQuerierOptions {
  dispatcher: Dispatcher;
  client: (member: Member) => QueryClient;
  timeoutMs: number;
}

/** Queriers in other processes, as if they were one in this. */
export class RemoteQuerier implements TraceFinder, Querying {
  readonly #options: RemoteQuerierOptions;

  constructor(options: RemoteQuerierOptions) {
    this.#options = options;
  }

  async findTrace(tenant: string, id: Uint8Array, { signal, ...options }: FindTraceOptions): Promise<TraceAnswer> {
    const { client, timeoutMs } = this.#options;
    return this.#once((member) => client(member).find({ tenant, id, ...options }, { timeoutMs, signal }), signal);
  }

  async query<Asked extends Exclude<Question, { kind: 'search' }>>(
    tenant: string,
    question: Asked,
    { startUnixNano, endUnixNano }: TimeRange,
    signal: AbortSignal,
  ): Promise<QueryAnswer<ResultOf[Asked['kind']]>> {
    const { client, timeoutMs } = this.#options;
    const request = { tenant, range: { startUnixNano, endUnixNano }, question: packQuestion(question) };
    const answer = await this.#once((member) => client(member).query(request, { timeoutMs, signal }), signal);
    return answer as QueryAnswer<ResultOf[Asked['kind']]>;
  }

  async *search(
    tenant: string,
    asked: SearchRequest,
    { startUnixNano, endUnixNano }: TimeRange,
    signal: AbortSignal,
  ): AsyncGenerator<QueryAnswer<SearchResult>> {
    const { client, dispatcher, timeoutMs } = this.#options;
    const question = packQuestion({ kind: 'search', request: asked });
    const request = { tenant, range: { startUnixNano, endUnixNano }, question };
    let given = 0;
    const work = async function* (member: Member, attempt: number): AsyncGenerator<QueryAnswer<SearchResult>> {
      // A search that begins anew has less at first than it had: an answer has what the ones before had.
      let behind: QueryAnswer<SearchResult> | undefined;
      for await (const answer of client(member).search(request, { timeoutMs, signal })) {
        behind = attempt > 0 && answer.result.traces.length < given ? answer : undefined;
        if (behind !== undefined) continue;
        given = answer.result.traces.length;
        yield answer;
      }
      if (behind !== undefined) yield behind;
    };
    yield* dispatcher.run(work, signal);
  }

  async #once<Answer>(ask: (member: Member) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const parts = this.#options.dispatcher.run(async function* (member) {
      yield await ask(member);
    }, signal);
    for await (const answer of parts) return answer;
    throw new Error('a call of one answer has one');
  }
}
