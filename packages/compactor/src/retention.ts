import type { BlockEntry } from '@vivace/manifest';
import type { Query } from '@vivace/traceql';
import { blockTimeMs } from './plan-jobs.ts';

/** How long a tenant's spans are kept. */
export interface Retention {
  /** Infinity: for ever. */
  keepMs: number;
  /** Traces that match are kept so long instead. Of several rules that match the longest counts. */
  rules: readonly RetentionRule[];
}

export interface RetentionRule {
  /** Without metrics. */
  query: Query;
  /** Whole seconds. */
  keepMs: number;
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
export function keepOfClass(name: string, { keepMs, rules }: Retention): number {
  if (name === DEFAULT_CLASS) return keepMs;
  if (name === UNCLASSIFIED) return rules.reduce((longest, rule) => Math.max(longest, rule.keepMs), keepMs);
  const [, seconds] = keepClass.exec(name) ?? [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : 1000 * Number(seconds);
}

/** When a block may go, by the store's clock; Infinity: never. */
export function expiresMs(entry: BlockEntry, retention: Retention): number {
  return blockTimeMs(entry) + keepOfClass(entry.retentionClass, retention);
}

/** The blocks that are too old. */
export function expired(live: readonly BlockEntry[], retention: Retention, nowMs: number): BlockEntry[] {
  return live.filter((entry) => expiresMs(entry, retention) < nowMs);
}
