import { createByteBudget } from '@vivace/http';
import { type Clock, createBufferPool, utf8Encode, VivaceError } from '@vivace/kernel';
import { parseField, parseLenient } from '@vivace/traceql';
import { createCallChannel } from './calls/call-channel.ts';
import { createHeadsClient } from './heads-client.ts';
import { type HeadsServing, headsMethods } from './heads-service.ts';
import { createQueryClient } from './query-client.ts';
import { packQuestion } from './query-messages.ts';
import { type QueryServing, queryMethods } from './query-service.ts';
import { createRpcServer } from './rpc-server.ts';

/** Of five calls each; about what the compiler wants to have seen. */
const ROUNDS = 150;
const TIMEOUT_MS = 2000;
const MAX_REQUEST_BYTES = 64 * 1024;
const HOST = '127.0.0.1';
const TENANT = 'practice';
const ID = new Uint8Array(16);
const RANGE = { startUnixNano: 1_790_000_000_000_000_000n, endUnixNano: 1_790_000_060_000_000_000n };

/**
 * Calls this process itself, over a connection of its own, with answers that are made up: what runs for the first time
 * takes several times as long as later, and in a process that only passes questions on that is most of what it does. It
 * rejects when `signal` says that somebody asks, or that the process stops.
 */
export async function practiseCalls(clock: Clock, signal: AbortSignal): Promise<void> {
  const server = createRpcServer({
    host: HOST,
    port: 0,
    methods: new Map(),
    calls: new Map([...queryMethods(MADE_UP_QUERIER), ...headsMethods(MADE_UP_HEADS)]),
    memory: { pool: createBufferPool({ maxIdleBytes: 0 }), budget: createByteBudget(MAX_REQUEST_BYTES) },
    maxRequestBytes: MAX_REQUEST_BYTES,
    clock,
    onError: () => undefined,
    stopTimeoutMs: TIMEOUT_MS,
  });
  await server.start({ signal });
  const channel = createCallChannel({ host: HOST, port: server.address.port, clock });
  try {
    const queries = createQueryClient(channel);
    const heads = createHeadsClient(channel);
    const filter = parseLenient('{ resource.service.name = "a" }');
    const tags = packQuestion({ kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } });
    const field = parseField('span.http.route');
    const values = packQuestion({ kind: 'tagValues', request: { field, filter, limit: 0 } });
    const options = { timeoutMs: TIMEOUT_MS, signal };
    for (let round = 0; round < ROUNDS; round++) {
      await queries.query({ tenant: TENANT, range: RANGE, question: round % 2 === 0 ? tags : values }, options);
      await queries.find({ tenant: TENANT, id: ID, maxBytes: 1000 }, options);
      await heads.trace({ tenant: TENANT, id: ID }, options);
      await heads.rows({ tenant: TENANT, have: [], time: RANGE }, () => undefined, options);
    }
  } finally {
    channel.close();
    await server.stop();
  }
}

const MADE_UP_QUERIER: QueryServing = {
  findTrace: async () => {
    const trace = utf8Encode('x'.repeat(2000));
    return { trace, complete: true, problems: [], truncated: false, inspectedBytes: 1 };
  },
  query: async () => {
    const names = Array.from({ length: 40 }, (_, i) => `attribute.${i}`);
    const result = { scopes: [{ name: 'span', tags: names }], truncated: false, inspectedSpans: 1, inspectedTraces: 1 };
    return { result, problems: [], inspectedBytes: 1, blocks: 1, blockBytes: 1 } as never;
  },
  // oxlint-disable-next-line require-yield -- a search has no answer that could be made up here
  search: async function* () {
    throw new VivaceError('internal', 'practice', 'searches are not practised by calls');
  },
};

const MADE_UP_HEADS: HeadsServing = {
  rows: async () => ({ answer: { version: 1, streams: [TENANT], chunks: [], others: [] }, chunks: [] }),
  trace: async () => ({ version: 1, streams: [TENANT], parts: [] }),
};
