/** Objects that a root has let go of stay so long: twice the longest query. */
const GRACE_SECONDS = 30;
const SWEEP_SECONDS = 10;
/** Until processes that are killed all the time have cut, merged, expired and swept what is due. */
export const SLACK_MS = 5 * 60_000;

/** What is removed when, as the settings of a Vivace have it. */
export const GRACES = {
  graveMs: 1000 * (GRACE_SECONDS + SWEEP_SECONDS) + SLACK_MS,
  /** Two days, and the hour that a writer has. */
  orphanMs: 50 * 3_600_000,
};

/** Settings by which everything that takes hours happens in minutes. */
export function quickSettings(cutInterval: string): Record<string, string> {
  return {
    VIVACE_INGESTER_CUT_INTERVAL: cutInterval,
    VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: cutInterval,
    VIVACE_QUERY_FRONTEND_API_TIMEOUT: `${GRACE_SECONDS / 2}s`,
    VIVACE_COMPACTOR_COMPACTION_COMPACTION_WINDOW: '1m',
    VIVACE_COMPACTOR_COMPACTION_COMPACTION_CYCLE: '1s',
    VIVACE_COMPACTOR_COMPACTION_MAX_INPUT_BLOCKS: '4',
    VIVACE_COMPACTOR_COMPACTION_COMPACTED_BLOCK_RETENTION: `${GRACE_SECONDS}s`,
    VIVACE_COMPACTOR_SWEEP_INTERVAL: `${SWEEP_SECONDS}s`,
  };
}
