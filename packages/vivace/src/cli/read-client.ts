import { createReadApi } from '@vivace/api';
import { SINGLE_TENANT, systemErrorCode, VivaceError } from '@vivace/kernel';
import { Querier } from '@vivace/querier';
import { QueryFrontend } from '@vivace/query-frontend';
import { createLogger } from '@vivace/telemetry';
import { createManifests } from '../manifests.ts';
import type { CommandCall } from './command.ts';
import { openStoreToRead } from './open-store.ts';

/** An answer of the API. */
export interface ReadAnswer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** Asks for a path of the API, such as `/api/search?q={}`. */
export type ReadClient = (path: string) => Promise<ReadAnswer>;

const SERVER_TIMEOUT_MS = 65_000;

/**
 * Runs `work` with a client of the server at `--url`, or else with one that answers from the store itself, with the
 * code that a server has, but without what is in no block yet.
 */
export async function withReadClient<Result>(
  call: CommandCall,
  work: (client: ReadClient) => Promise<Result>,
): Promise<Result> {
  const url = call.flags.get('url');
  return url === undefined ? withStoreClient(call, work) : work(serverClient(call, url));
}

function serverClient({ flags, signal }: CommandCall, url: string): ReadClient {
  if (!/^https?:\/\/[^\s/]/.test(url) || !URL.canParse(url)) {
    throw new VivaceError('invalid', 'usage', `--url must be a URL such as http://127.0.0.1:3200: '${url}'`);
  }
  const base = url.replace(/\/+$/, '');
  return async (path) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(SERVER_TIMEOUT_MS)]);
    try {
      return await answerOf(await fetch(base + path, { headers: headersOf(flags), signal: limited }));
    } catch (error) {
      if (error instanceof VivaceError) throw error;
      const cause = error instanceof Error ? error.cause : undefined;
      const reason = systemErrorCode(cause) ?? (error instanceof Error ? error.message : String(error));
      const message = `no server answers at ${base} (${reason}): start one, or leave --url away to read the store itself`;
      throw new VivaceError('unavailable', 'server', message, { cause: error });
    }
  };
}

async function withStoreClient<Result>(
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
    warmUp: false,
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

function headersOf(flags: ReadonlyMap<string, string>): Record<string, string> {
  const tenant = flags.get('tenant');
  return { Accept: 'application/json', ...(tenant !== undefined && { 'X-Scope-OrgID': tenant }) };
}

/** Throws what the API answers instead of a result, in its words. */
async function answerOf(response: Response): Promise<ReadAnswer> {
  const text = await response.text();
  if (!response.ok) {
    const kind = response.status === 400 ? 'invalid' : response.status === 404 ? 'not-found' : 'unavailable';
    throw new VivaceError(
      kind,
      'answer',
      text.trim() === '' ? `the answer has status ${response.status}` : text.trim(),
    );
  }
  try {
    return { status: response.status, headers: response.headers, body: JSON.parse(text) as unknown };
  } catch (error) {
    throw new VivaceError('unavailable', 'answer', 'the answer is no JSON: is this the HTTP API of Vivace or Tempo?', {
      cause: error,
    });
  }
}
