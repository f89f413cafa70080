import type { RetentionTimes } from '@vivace/manifest';
import type { Query } from '@vivace/traceql';

/** How long a tenant's spans are kept. */
export interface Retention extends RetentionTimes {
  rules: readonly RetentionRule[];
}

/** Traces that match are kept so long. */
interface RetentionRule {
  /** Without metrics. */
  query: Query;
  /** Whole seconds. */
  keepMs: number;
}
