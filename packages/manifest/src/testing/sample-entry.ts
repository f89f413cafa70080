import { seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '../block-entry.ts';

const START_MS = 1_760_000_000_000;

/** An entry whose every field depends on `number`. */
export function sampleEntry(number: number, startMs = START_MS): BlockEntry {
  const random = seededRandom(number);
  const place = (object: string, i: number) => ({ object, offset: i * 1000 + number, length: 1000 });
  const name = (section: string) => (number % 2 === 0 ? 'block' : section);
  const entry: BlockEntry = {
    id: uuidV7(startMs + number, random),
    sections: {
      spans: place(name('spans'), 0),
      events: place(name('events'), 1),
      resources: place(name('resources'), 2),
      traces: place(name('traces'), 3),
      filter: place(name('filter'), 4),
      index: place(name('index'), 5),
    },
    rows: number * 1000,
    traces: number * 10,
    minStart: BigInt(startMs + number) * 1_000_000n,
    maxEnd: BigInt(startMs + number + 5) * 1_000_000n + 7n,
    commitTimeMs: startMs + number + 60_000,
    level: number % 3,
    retentionClass: number % 5 === 0 ? 'long' : '',
    filterBytes: number * 600,
    applied: number % 7,
  };
  if (number % 4 === 3) entry.misdated = true;
  return entry;
}
