import { createReadApi } from '@vivace/api';
import { SINGLE_TENANT, type VivaceError } from '@vivace/kernel';
import { Querier } from '@vivace/querier';
import { QueryFrontend } from '@vivace/query-frontend';
import { createLogger } from '@vivace/telemetry';
import { createManifests } from '../manifests.ts';
import type { CommandCall } from './command.ts';
import { openStoreToRead } from './open-store.ts';
import { answerOf, headersOf, type ReadClient } from './read-answer.ts';

/** Runs `work` with a client that answers from the store itself, without what is in no block yet. */
export async function withStoreClient<Result>(
  call: CommandCall,
  work: (client: ReadClient) => Promise<Result>,
): Promise<Result> {
  const { clock, random, signal, flags, output } = call;
  const config = call.config();
  const { store, close } = await openStoreToRead(config, clock, random);
  let died: VivaceError | undefined;
  const querier = new Querier({
    heads: {
      findTrace: async () => ({ parts: [], problems: [] }),
      headViews: async () => ({ views: [], problems: [] }),
    },
    manifest: createManifests({ store, clock, random, maxOpen: 2, onAlarm: (_, alarm) => output.note(alarm.message) }),
    store,
    cacheBytes: config.querier.cache_bytes,
    filterCacheBytes: config.querier.filter_cache_bytes,
    workers: config.querier.workers,
    keepsPartials: false,
    clock,
    random,
    // What it warns of is in its answers.
    logger: createLogger({ level: 'error', format: 'text', stream: { write: (text) => output.note(text.trimEnd()) } }),
    onExit: (error) => {
      died = error;
    },
  });
  const engine = new QueryFrontend({
    querier,
    clock,
    maxRunning: 1,
    maxWaiting: 1,
    timeoutMs: config.query_frontend.api_timeout,
  });
  const api = createReadApi({
    // Whether tenants are kept apart is the server's affair: a store has them by name.
    tenancy: { enabled: true, multiTenantQueries: true },
    finder: querier,
    engine,
    maxTraceBytes: config.limits.max_trace_response_bytes,
    clock,
  });
  const headers = { 'X-Scope-OrgID': SINGLE_TENANT, ...headersOf(flags) };
  try {
    return await work(async (path) => {
      const answer = await answerOf(await api(path, headers, signal));
      if (died !== undefined) throw died;
      return answer;
    });
  } finally {
    await querier.stop();
    await close();
  }
}
