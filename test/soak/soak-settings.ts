import type { S3Process } from '@vivace/object-store/testing';
import { s3Env } from '../harness/s3-env.ts';
import type { Keeping } from '../truth/keeping.ts';
import type { SentTrace } from '../truth/ledger.ts';
import { quickSettings, SLACK_MS } from '../truth/quick-settings.ts';

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
  /** Every process has a name of its own: the log of one that was killed is taken over only when its lease is old. */
  freshNames: boolean;
  /** How long spans are kept, milliseconds; 0: for ever. */
  retentionMs: number;
}

export const DEFAULT_SETTINGS: SoakSettings = {
  minutes: 5,
  seed: 1,
  killEverySeconds: 30,
  requestsPerSecond: 15,
  readers: 3,
  questionsPerSecond: 4,
  weather: true,
  log: 'bucket',
  cutInterval: '5s',
  freshNames: false,
  retentionMs: 120_000,
};

/** Two names that differ only in case: they must stay apart everywhere. */
export const TENANTS = ['shop', 'Shop', 'games'];

/** Keeps everything. */
const LASTING_TENANT = 'games';
/** Keeps traces longer that have a mark. */
const RULED_TENANT = 'Shop';

/** The settings of a Vivace over the store, as environment variables. */
export function settingsEnvironment(
  { cutInterval, log, retentionMs }: SoakSettings,
  { store, overridesFile, instance }: { store: S3Process; overridesFile: string; instance: string },
): Record<string, string> {
  return {
    ...s3Env(store, store),
    ...quickSettings(cutInterval),
    VIVACE_MULTITENANCY_ENABLED: 'true',
    VIVACE_INGESTER_WAL_BACKEND: log,
    VIVACE_INGESTER_INSTANCE_NAME: instance,
    VIVACE_COMPACTOR_COMPACTION_BLOCK_RETENTION: `${retentionMs}ms`,
    VIVACE_OVERRIDES_PER_TENANT_OVERRIDE_CONFIG: overridesFile,
  };
}

/** The overrides file: one tenant keeps everything, one has a rule for marked traces. */
export const OVERRIDES = `overrides:
  ${LASTING_TENANT}:
    retention: 0
  ${RULED_TENANT}:
    retention_rules:
      - filter: '{ span.keep = 1 }'
        keep: 24h
`;

export function keepingOf(
  { retentionMs }: SoakSettings,
  { tenant, marked }: Pick<SentTrace, 'tenant' | 'marked'>,
): Keeping {
  if (retentionMs === 0 || tenant === LASTING_TENANT) return { retentionMs: undefined, slackMs: 0 };
  if (tenant !== RULED_TENANT) return { retentionMs, slackMs: SLACK_MS };
  // What no merge has judged by the rules yet is kept as long as any of them says.
  return marked ? { retentionMs: undefined, slackMs: 0 } : { retentionMs, slackMs: Number.POSITIVE_INFINITY };
}
