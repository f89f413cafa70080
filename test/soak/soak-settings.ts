import type { S3Process } from '@vivace/object-store/testing';
import type { Keeping } from './keeping.ts';

export interface SoakSettings {
  minutes: number;
  seed: number;
  /** A process lives so long on average; 0: no kills. */
  killEverySeconds: number;
  requestsPerSecond: number;
  readers: number;
  questionsPerSecond: number;
  /** Whether the store fails and is slow. */
  weather: boolean;
  /** Where what is acknowledged is until it is in blocks. */
  log: 'disk' | 'bucket';
  cutInterval: string;
  /** What no root names may be in the bucket so long, and what a root has let go of. */
  orphanGraceMs: number;
  graveGraceMs: number;
}

export const DEFAULT_SETTINGS: SoakSettings = {
  minutes: 5,
  seed: 1,
  killEverySeconds: 30,
  requestsPerSecond: 15,
  readers: 3,
  questionsPerSecond: 4,
  weather: true,
  log: 'disk',
  cutInterval: '5s',
  orphanGraceMs: 49 * 3_600_000,
  graveGraceMs: 2 * 3_600_000,
};

/** Two names that differ only in case: they must stay apart everywhere. */
export const TENANTS = ['shop', 'Shop', 'games'];

/** The settings of a Vivace over the store, as environment variables. */
export function settingsEnvironment(
  { cutInterval }: SoakSettings,
  { endpoint, region, bucket, credentials }: S3Process,
): Record<string, string> {
  return {
    VIVACE_STORAGE_TRACE_BACKEND: 's3',
    VIVACE_STORAGE_TRACE_S3_BUCKET: bucket,
    VIVACE_STORAGE_TRACE_S3_ENDPOINT: endpoint,
    VIVACE_STORAGE_TRACE_S3_REGION: region,
    VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    VIVACE_MULTITENANCY_ENABLED: 'true',
    VIVACE_INGESTER_CUT_INTERVAL: cutInterval,
    VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: cutInterval,
  };
}

/** Spans are kept for ever as long as nothing removes them. */
export function keepingOf(_settings: SoakSettings, _tenant: string): Keeping {
  return { retentionMs: undefined, slackMs: 0 };
}
