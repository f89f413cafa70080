import { seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '../block-entry.ts';
import { emptyRoot, type Root } from '../root.ts';

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

/** A root with something in every field. */
export function sampleRoot(tenant: string): Root {
  const random = seededRandom(99);
  const id = () => uuidV7(START_MS, random);
  return {
    ...emptyRoot(tenant),
    version: 300,
    commits: Array.from({ length: 3 }, () => id().replaceAll('-', '')),
    floorMs: START_MS - 1,
    aging: { floorMs: START_MS - 2, sinceMs: START_MS - 3 },
    covered: new Map([
      [id(), 1],
      [id(), 2 ** 40],
    ]),
    pages: [{ id: id(), day: 20_370, lastDay: 20_371, entries: 9, bytes: 900, minStart: 1n, maxEnd: (1n << 64n) - 1n }],
    gravePages: [{ id: id(), graves: 70, stampMs: START_MS }],
    graves: [
      { kind: 'block', id: id(), objects: ['block'], removedMs: START_MS },
      { kind: 'page', id: id(), objects: [], removedMs: START_MS + 1 },
    ],
    added: [sampleEntry(2), sampleEntry(3), sampleEntry(5)],
    removed: new Set([id()]),
  };
}
