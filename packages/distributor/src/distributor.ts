import { type Clock, toVivaceError, VivaceError } from '@vivace/kernel';
import type { PushResult, TraceSink } from '@vivace/otlp';
import type { DistributorMetrics } from './metrics.ts';
import { TenantTable } from './tenant-table.ts';
import { TokenBucket } from './token-bucket.ts';

/** One tenant's limits. */
export interface IngestionLimits {
  /** Inflated bytes a second. */
  ingestionRateBytes: number;
  /** Inflated bytes at once after a pause. A request larger than this can never be taken. */
  ingestionBurstBytes: number;
}

export interface DistributorOptions {
  /** Where requests within their limits go: the ingester. */
  next: TraceSink;
  clock: Clock;
  metrics: DistributorMetrics;
  limits: IngestionLimits;
  /** Tenants that write at one time. A further one is told when to try again. */
  maxTenants: number;
  /** After this long without a write a tenant gives its place up. Default 10 minutes: by then it is in blocks. */
  tenantIdleMs?: number;
}

/**
 * Keeps every tenant to its rate and the number of tenants to its limit, before anything is done for a request.
 * A request over the rate is refused whole and costs no tokens, so that one that is sent again gets through.
 */
export function createDistributor(options: DistributorOptions): TraceSink {
  const { next, clock, metrics, limits, maxTenants } = options;
  const buckets = new TenantTable(
    maxTenants,
    options.tenantIdleMs ?? 600_000,
    (nowMs) => new TokenBucket(limits.ingestionRateBytes, limits.ingestionBurstBytes, nowMs),
  );

  function checkLimits(tenant: string, bytes: number): void {
    const nowMs = clock.monotonicMs();
    const place = buckets.use(tenant, nowMs);
    if ('waitMs' in place) throw tooManyTenants(maxTenants, place.waitMs);
    if (bytes > limits.ingestionBurstBytes) throw overBurst(tenant, bytes, limits);
    const waitMs = place.value.take(bytes, nowMs);
    if (waitMs > 0) throw overRate(tenant, bytes, limits, waitMs);
  }

  return {
    async push(tenant, request, signal): Promise<PushResult> {
      const bytes = request.bytes.length;
      try {
        checkLimits(tenant, bytes);
        const result = await next.push(tenant, request, signal);
        metrics.bytes.inc({ result: 'accepted' }, bytes);
        if (result.acceptedSpans > 0) metrics.spans.inc({ result: 'accepted' }, result.acceptedSpans);
        if (result.rejectedSpans > 0) metrics.spans.inc({ result: 'rejected' }, result.rejectedSpans);
        return result;
      } catch (error) {
        metrics.bytes.inc({ result: toVivaceError(error).code }, bytes);
        throw error;
      }
    },
  };
}

/** Clients and dashboards know Tempo's word for it. */
const RATE_LIMITED = 'RATE_LIMITED';

function overBurst(tenant: string, bytes: number, limits: IngestionLimits): VivaceError {
  return new VivaceError(
    'limited',
    'over-burst',
    `${RATE_LIMITED}: the request is larger than limits.ingestion_burst_bytes and never fits: send smaller batches or raise the limit: ${bytes} of ${limits.ingestionBurstBytes} bytes for tenant ${tenant}`,
  );
}

function overRate(tenant: string, bytes: number, limits: IngestionLimits, retryAfterMs: number): VivaceError {
  return new VivaceError(
    'limited',
    'over-rate',
    `${RATE_LIMITED}: the tenant sends more than limits.ingestion_rate_bytes: send less or raise the limit of ${limits.ingestionRateBytes} bytes a second (burst ${limits.ingestionBurstBytes}), exceeded by a request of ${bytes} bytes for tenant ${tenant}`,
    { retryAfterMs },
  );
}

function tooManyTenants(maxTenants: number, retryAfterMs: number): VivaceError {
  return new VivaceError(
    'limited',
    'too-many-tenants',
    `too many tenants are writing: try again later or raise limits.max_tenants of ${maxTenants}`,
    { retryAfterMs },
  );
}
