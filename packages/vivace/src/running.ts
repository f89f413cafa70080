import type { Config } from '@vivace/config';
import type { Logger } from '@vivace/telemetry';

/** `host:port` of each listener that the target has, as it is bound, so never with port 0. */
export interface Addresses {
  http: string;
  otlpGrpc?: string;
  otlpHttp?: string;
  /** Where other processes of Vivace call this one. */
  grpc?: string;
}

/** A started server. */
export interface Running {
  addresses: Addresses;
  /** What the person who starts it should know, one sentence each: blocks skipped, a log that was cut short … */
  notices: string[];
  /** Takes nothing more in, ends what is under way, lets go of everything. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Builds and starts every service of the target. `signal` ends a start that is not finished; afterwards
 * only `stop` does. On failure everything is released and a VivaceError says what and the remedy.
 */
export type Compose = (config: Config, options: { logger: Logger; signal: AbortSignal }) => Promise<Running>;
