import { type BlockEntry, entryTimeMs } from './block-entry.ts';
import type { Manifest } from './manifest.ts';

/** How long a tenant's spans are kept. */
export interface RetentionTimes {
  /** Infinity: for ever. */
  keepMs: number;
  /** Traces that a rule matched are kept so long instead, in whole seconds; of several rules the longest counts. */
  rules: readonly { keepMs: number }[];
}

/**
 * The class of a block says what was decided of its traces: nothing yet, nothing special, or how long they are kept.
 * The time stands in the class, so that a rule that is changed or removed later changes nothing of what was promised.
 */
export const UNCLASSIFIED = '';
export const DEFAULT_CLASS = 'default';

const keepClass = /^(\d{1,10})s$/;

/** The class of traces that are kept so long, in whole seconds. */
export function classOfKeep(keepMs: number): string {
  return `${Math.round(keepMs / 1000)}s`;
}

/**
 * How long blocks of a class are kept. What is not classified may belong to any class, and goes by the longest; a class
 * that this program does not know is kept.
 */
export function keepOfClass(name: string, { keepMs, rules }: RetentionTimes): number {
  if (name === DEFAULT_CLASS) return keepMs;
  if (name === UNCLASSIFIED) return rules.reduce((longest, rule) => Math.max(longest, rule.keepMs), keepMs);
  const [, seconds] = keepClass.exec(name) ?? [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : 1000 * Number(seconds);
}

/** When a block may go, by the store's clock; Infinity: never. */
export function expiresMs(entry: BlockEntry, retention: RetentionTimes): number {
  return entryTimeMs(entry) + keepOfClass(entry.retentionClass, retention);
}

/** Blocks of one commit, at most. */
const MAX_REMOVED = 1000;
const MAX_ATTEMPTS = 3;

/**
 * Removes the blocks that are too old, whole ones only, and returns them. Where a merge was faster, what became of them
 * is looked at again. Rejects as `Manifest.commit` does.
 */
export async function expireBlocks(
  manifest: Pick<Manifest, 'snapshot' | 'storeTimeMs' | 'commit'>,
  retention: RetentionTimes,
  signal: AbortSignal,
): Promise<readonly BlockEntry[]> {
  const gone: BlockEntry[] = [];
  let lost = 0;
  for (let maxAgeMs = 5000; lost < MAX_ATTEMPTS; maxAgeMs = 0) {
    const nowMs = await manifest.storeTimeMs(signal);
    const { live } = await manifest.snapshot(signal, { maxAgeMs });
    const old = live.filter((entry) => expiresMs(entry, retention) < nowMs).slice(0, MAX_REMOVED);
    if (old.length === 0) break;
    const result = await manifest.commit({ add: [], remove: old.map(({ id }) => id), cover: [] }, signal);
    if (result.committed) gone.push(...old);
    else lost++;
  }
  return gone;
}
