import { bytesToHex } from '@vivace/kernel';
import fc from 'fast-check';
import type { BlockEntry, SectionPlace } from '../block-entry.ts';
import type { Grave } from '../graveyard.ts';
import type { OrdinalRange } from '../ordinals.ts';
import type { Root } from '../root.ts';
import type { TraceSegment } from '../trace-segment.ts';

/** Anything that the format can hold, whether or not a root would ever have it. */

const hexId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytesToHex);
const uuid = hexId.map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const objectName = fc.oneof(fc.constantFrom('block', 'index'), fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/));
const place: fc.Arbitrary<SectionPlace> = fc.record({ object: objectName, offset: number, length: number });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });

/** Numbers that go up. */
const ascending = fc
  .array(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 8 })
  .map((steps) => steps.map((_, i) => steps.slice(0, i + 1).reduce((sum, step) => sum + step, 0)));

const anyOrdinals: fc.Arbitrary<OrdinalRange[]> = ascending.map((ends) =>
  ends.flatMap((end, i) => (i % 2 === 1 ? [{ first: ends[i - 1] as number, end }] : [])),
);

/** Segments that do not overlap. */
const anySegments: fc.Arbitrary<TraceSegment[]> = fc
  .tuple(anyOrdinals, fc.array(number), uuid)
  .map(([ordinals, holes, id]): TraceSegment[] =>
    ordinals.map(({ first, end }, i) => ({
      id,
      day: holes[0] ?? 0,
      first,
      end,
      holes: i % 2 === 0 ? [first] : [],
      buckets: holes[1] ?? 1,
      stride: holes[2] ?? 32,
      entries: holes[3] ?? 7,
    })),
  );

export const anyEntry: fc.Arbitrary<BlockEntry> = fc
  .record({
    id: uuid,
    sections: fc.record({
      spans: place,
      events: place,
      resources: place,
      traces: place,
      filter: place,
      index: place,
    }),
    rows: number,
    traces: number,
    minStart: u64,
    maxEnd: u64,
    commitTimeMs: number,
    level: number,
    retentionClass: text,
    filterBytes: number,
    applied: number,
    misdated: fc.boolean(),
    ordinals: anyOrdinals,
    unfilteredKeys: fc.option(fc.array(fc.nat(2 ** 32 - 1), { maxLength: 64 })),
  })
  .map(({ misdated, ordinals, unfilteredKeys, ...entry }) => ({
    ...entry,
    ...(misdated && { misdated }),
    ...(ordinals.length > 0 && { ordinals }),
    ...(unfilteredKeys !== null && { unfilteredKeys }),
  }));

/** With a time; one that is 0 gets another when it is read. */
export const anyGrave: fc.Arbitrary<Grave> = fc
  .tuple(uuid, fc.maxSafeNat(), fc.option(fc.uniqueArray(objectName, { maxLength: 6 })))
  .map(([id, removedMs, objects]) => ({
    kind: objects ? 'block' : 'page',
    id,
    objects: objects ?? [],
    removedMs: Math.max(1, removedMs),
  }));

export const anyRoot = (tenant: string): fc.Arbitrary<Root> =>
  fc
    .record({
      version: fc.oneof(
        fc.integer({ min: 1, max: 10 }),
        fc.maxSafeNat().map((n) => Math.max(1, n)),
      ),
      commits: fc.array(hexId, { minLength: 1, maxLength: 256 }),
      floorMs: number,
      aging: fc.record({ floorMs: number, sinceMs: fc.maxSafeNat().map((n) => Math.max(1, n)) }),
      covered: fc.array(fc.tuple(uuid, number), { maxLength: 20 }).map((lines) => new Map(lines)),
      pages: fc.array(
        fc.record({
          id: uuid,
          day: number,
          lastDay: number,
          entries: number,
          bytes: number,
          minStart: u64,
          maxEnd: u64,
        }),
      ),
      gravePages: fc.array(
        fc.record({ id: uuid, graves: number, stampMs: fc.maxSafeNat().map((n) => Math.max(1, n)) }),
      ),
      graves: fc.array(anyGrave),
      added: fc.array(anyEntry),
      removed: fc.array(uuid).map((ids) => new Set(ids)),
      segments: anySegments,
    })
    .map((root) => ({
      ...root,
      nextOrdinal: root.segments.at(-1)?.end ?? 0,
      tenant,
      commits: root.commits.slice(0, root.version),
    }));
