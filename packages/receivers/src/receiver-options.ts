import type { RequestMemory } from '@vivace/http';
import type { Clock, VivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import type { ReceiverMetrics } from './metrics.ts';
import type { TlsOptions } from './tls-options.ts';

/** What every receiver is given. */
export interface ReceiverOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  tls?: TlsOptions;
  sink: TraceSink;
  memory: RequestMemory;
  clock: Clock;
  metrics: ReceiverMetrics;
  /** The longest request, inflated. */
  maxRequestBytes: number;
  /** Whether the tenant comes from X-Scope-OrgID. */
  multitenancy: boolean;
  /** How long `stop` waits for requests under way. Default 10 s: within Kubernetes' 30 s. */
  stopTimeoutMs?: number;
  /** Called with every error of kind `internal`, which clients are not told. */
  onDefect: (error: VivaceError) => void;
}
