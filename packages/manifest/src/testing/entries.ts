import { type Random, uuidV7 } from '@vivace/kernel';
import type { BlockEntry, SectionPlace } from '../block-entry.ts';

/** An entry of a block of one object made at `atMs`, with a minute of data before that. */
export function makeEntry(random: Random, atMs: number, change: Partial<BlockEntry> = {}): BlockEntry {
  let offset = 0;
  const place = (length: number): SectionPlace => {
    const section = { object: 'block', offset, length };
    offset += length;
    return section;
  };
  const madeMs = Math.floor(atMs);
  const end = BigInt(madeMs) * 1_000_000n;
  return {
    id: uuidV7(madeMs, random),
    sections: {
      spans: place(random.u32()),
      events: place(random.u32()),
      resources: place(random.u32()),
      traces: place(random.u32()),
      filter: place(8192),
      index: place(random.u32()),
    },
    rows: random.u32(),
    traces: random.u32() >>> 4,
    minStart: end - 60_000_000_000n,
    maxEnd: end,
    commitTimeMs: madeMs,
    level: 0,
    retentionClass: '',
    filterBytes: 8192,
    applied: 0,
    ...change,
  };
}
