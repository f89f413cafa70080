import { systemErrorCode, VivaceError } from '@vivace/kernel';
import type { CommandCall } from './command.ts';
import { answerOf, headersOf, type ReadClient } from './read-answer.ts';

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
  if (url !== undefined) return work(serverClient(call, url));
  // Loaded only now: to ask a server nothing of the engine is needed.
  const { withStoreClient } = await import('./store-client.ts');
  return withStoreClient(call, work);
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
