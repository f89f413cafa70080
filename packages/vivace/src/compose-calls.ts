import { Discovery, Health, type HealthOptions, type Member, parseSource, systemResolver } from '@vivace/cluster';
import type { Config } from '@vivace/config';
import { assert, toVivaceError } from '@vivace/kernel';
import {
  ChannelPool,
  type ChannelPoolOptions,
  createRpcServer,
  practiseCalls,
  type RpcServer,
  type RpcServerOptions,
} from '@vivace/rpc';
import type { Base } from './compose-base.ts';
import { requestMemory } from './compose-receivers.ts';
import { clientTls, listenerTls } from './tls.ts';

/** What a slice has in a call besides the request that it is of. */
const CALL_OVERHEAD_BYTES = 64 * 1024;

export interface Calling<Channel extends { close(): void }> {
  discovery: Discovery;
  channels: ChannelPool<Channel>;
  health: Health;
  /** The members as they are now; channels of those that are gone are closed. */
  members: () => readonly Member[];
}

/** What calls other processes: who they are, which of them answer, and the connections. */
export async function startCalling<Channel extends { close(): void }>(
  base: Base,
  open: ChannelPoolOptions<Channel>['open'],
  client: Config['ingester_client' | 'querier_client'],
  who: 'ingesters' | 'queriers',
  healthOptions: Pick<HealthOptions, 'maxBackOffMs'> = {},
): Promise<Calling<Channel>> {
  const { clock, random, logger } = base;
  const discovery = new Discovery({
    sources: client.addresses.map((address) => {
      const source = parseSource(address);
      assert(source !== undefined, 'the configuration checks addresses');
      return source;
    }),
    resolver: systemResolver,
    clock,
    refreshMs: client.resolve_interval,
    onProblem: (name, error) =>
      logger.warn({ name, code: toVivaceError(error).code, err: error }, `${who} cannot be looked up: tried again`),
  });
  await base.start(discovery);
  const channels = new ChannelPool({ open, clock, tls: clientTls(client.grpc_client_config) });
  base.add({ stop: async () => channels.close() });
  const health = new Health({ ...healthOptions, clock, random });
  let known: readonly Member[] = [];
  const members = (): readonly Member[] => {
    if (known === discovery.members) return known;
    known = discovery.members;
    const addresses = known.map(({ address }) => address);
    health.keepOnly(addresses);
    channels.keepOnly(addresses);
    return known;
  };
  return { discovery, channels, health, members };
}

/** The start of the process comes first. */
const PRACTICE_DELAY_MS = 250;

/** Practises calls in the background until the returned function is called: somebody asks. */
export function practiseCallsSoon(base: Base): () => void {
  const asked = new AbortController();
  const signal = AbortSignal.any([base.signal, asked.signal]);
  const { clock, logger } = base;
  const practise = async (): Promise<void> => {
    try {
      await clock.sleep(PRACTICE_DELAY_MS, signal);
      await practiseCalls(clock, signal);
    } catch (error) {
      logger.debug({ err: error }, 'calls were not practised to the end');
    }
  };
  void practise();
  return () => {
    // Of each call: aborting again is not for nothing, it makes an error each time.
    if (!asked.signal.aborted) asked.abort();
  };
}

/** The port at which other processes call this one, not started yet. */
export function createCallServer(
  base: Base,
  { methods = new Map(), calls = new Map() }: Partial<Pick<RpcServerOptions, 'methods' | 'calls'>>,
): RpcServer {
  const { config, clock, logger } = base;
  const tls = listenerTls(config.server.grpc_tls);
  return createRpcServer({
    host: config.server.grpc_listen_address,
    port: config.server.grpc_listen_port,
    ...(tls !== undefined && { tls }),
    methods,
    calls,
    memory: requestMemory(base),
    maxRequestBytes: config.limits.max_request_bytes + CALL_OVERHEAD_BYTES,
    clock,
    onError: (error, call) => logger.error({ err: error, call }, 'a call failed'),
  });
}
