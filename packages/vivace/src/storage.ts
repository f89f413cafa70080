import type { Config } from '@vivace/config';
import { type Clock, type Random, systemErrorCode, VivaceError } from '@vivace/kernel';
import {
  createFileStore,
  createHedgingStore,
  createMeteredStore,
  createRetryingStore,
  createS3Store,
  createStoreMetrics,
  type ObjectStore,
  probeStore,
  type S3Store,
} from '@vivace/object-store';
import type { Metrics } from '@vivace/telemetry';

export interface Storage {
  store: ObjectStore;
  close(): Promise<void>;
}

/**
 * The configured object store with its wrappers, seen from the inside out: the backend, metrics of every single
 * call, reads sent once more where a bucket is slow, retries. It has kept its promises to the start probe.
 */
export async function openStorage(
  config: Config,
  options: { clock: Clock; random: Random; metrics: Metrics; signal: AbortSignal },
): Promise<Storage> {
  const { clock, random, metrics, signal } = options;
  const { backend, local, s3 } = config.storage.trace;
  const plain =
    backend === 'local'
      ? await createFileStore({ directory: local.path, clock }).catch(unusable(local.path))
      : await openBucket(config, clock);
  const metered = createMeteredStore(plain, { metrics: createStoreMetrics(metrics.registry), clock });
  const hedging = backend === 's3' ? createHedging(metered, s3, options) : metered;
  const store = createRetryingStore(hedging, { clock, random });
  try {
    await probeStore(store, { signal, random });
  } catch (error) {
    await plain.close();
    throw backend === 's3' ? withEndpoint(error, s3) : error;
  }
  return { store, close: () => plain.close() };
}

function createHedging(
  store: ObjectStore,
  s3: Config['storage']['trace']['s3'],
  { clock, metrics }: { clock: Clock; metrics: Metrics },
): ObjectStore {
  const { hedge_requests_at: delayMs, hedge_requests_up_to: maxRequests } = s3;
  if (delayMs === 0 || maxRequests === 1) return store;
  const reads = metrics.counter<'outcome'>({
    name: 'vivace_object_store_hedged_reads_total',
    help: 'Reads that took unusually long: sent once more and answered by the first request or a later one, or denied that.',
    labels: ['outcome'],
  });
  return createHedgingStore(store, {
    delayMs,
    maxRequests,
    clock,
    metrics: {
      ended: (outcome) => reads.inc({ outcome }),
      denied: () => reads.inc({ outcome: 'denied' }),
    },
  });
}

/** The bucket of the settings, without wrappers. */
export function openBucket(config: Config, clock: Clock): Promise<S3Store> {
  const { s3 } = config.storage.trace;
  return createS3Store({
    bucket: s3.bucket,
    clock,
    forcePathStyle: s3.forcepathstyle,
    ...(s3.prefix !== '' && { prefix: s3.prefix }),
    ...(s3.endpoint !== '' && { endpoint: s3.endpoint }),
    ...(s3.region !== '' && { region: s3.region }),
  });
}

/** Of a store that does not answer the store itself can only say that; here it is known where it should be. */
function withEndpoint(error: unknown, { endpoint, region }: Config['storage']['trace']['s3']): unknown {
  if (!(error instanceof VivaceError) || (error.code !== 'store-unreachable' && error.code !== 'store-timeout')) {
    return error;
  }
  const remedy =
    endpoint === ''
      ? `check the network, and storage.trace.s3.region${region === '' ? '' : `, which is ${region}`}`
      : `start the store at ${endpoint}, or correct storage.trace.s3.endpoint`;
  return new VivaceError('unavailable', error.code, `${error.message}: ${remedy}`, { cause: error });
}

function unusable(directory: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof VivaceError) throw error;
    const code = systemErrorCode(error) ?? 'unknown';
    throw new VivaceError(
      'unavailable',
      'store-unusable',
      `the directory of the store cannot be used (${code}): check its owner and mode, or choose another with --data-dir, ${directory}`,
      { cause: error },
    );
  };
}
