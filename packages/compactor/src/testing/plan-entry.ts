import type { BlockEntry } from '@vivace/manifest';

/** What of an entry planning looks at; the data is of the minute before its end. */
export interface PlanEntry {
  rows?: number;
  endMs: number;
  commitTimeMs?: number;
  level?: number;
  misdated?: boolean;
  retentionClass?: string;
}

export function planEntry(
  id: string,
  { rows = 1000, endMs, commitTimeMs = endMs, level = 0, misdated = false, retentionClass = '' }: PlanEntry,
): BlockEntry {
  const place = { object: 'block', offset: 0, length: 0 };
  return {
    id,
    sections: { spans: place, events: place, resources: place, traces: place, filter: place, index: place },
    rows,
    traces: rows,
    minStart: BigInt(Math.floor(endMs) - 60_000) * 1_000_000n,
    maxEnd: BigInt(Math.floor(endMs)) * 1_000_000n,
    commitTimeMs,
    level,
    retentionClass,
    filterBytes: 0,
    applied: 0,
    ...(misdated && { misdated }),
  };
}
