import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { BlockEntry, SectionName, SectionPlace } from './block-entry.ts';
import type { Grave } from './graveyard.ts';
import { COMMIT_RING, FORMAT_VERSION, SECTION_NAMES } from './layout.ts';
import { decodeEntryPage, decodeGravePage, encodeEntryPage, encodeGravePage } from './page.ts';
import { decodeRoot, encodeRoot, type Root } from './root.ts';

// Files of every version stay readable for ever. Those under golden/ are never written again; a new version gets its
// own, made by running this test with VIVACE_WRITE_GOLDEN=1.

const TENANT = "Team.A(1)'s";
const AT_MS = 1_760_000_000_123;
const DAY_NS = 86_400_000_000_000n;

const id = (number: number): string => `0199c82c-c07b-7${`${number}`.padStart(3, '0')}-8000-${'0123456789ab'}`;

const entry = (number: number, change: Partial<BlockEntry> = {}): BlockEntry => {
  const places = SECTION_NAMES.map((name, i): [SectionName, SectionPlace] => [
    name,
    number % 2 === 0
      ? { object: 'block', offset: i * 1000, length: 1000 }
      : { object: `${name}.x`, offset: 0, length: i },
  ]);
  return {
    id: id(number),
    sections: Object.fromEntries(places) as Record<SectionName, SectionPlace>,
    rows: 1_000_000 + number,
    traces: 127 + number,
    minStart: 20_370n * DAY_NS + BigInt(number),
    maxEnd: 20_371n * DAY_NS + BigInt(number),
    commitTimeMs: AT_MS,
    level: number,
    retentionClass: '',
    filterBytes: 8192,
    applied: 0,
    ...change,
  };
};

/** In the order of their days, as a page has them. */
const entries: BlockEntry[] = [
  entry(1, { minStart: 0n, maxEnd: (1n << 64n) - 1n, rows: Number.MAX_SAFE_INTEGER }),
  entry(2, { minStart: 7n, retentionClass: 'länger', misdated: true, applied: 12 }),
  entry(3, {
    ordinals: [
      { first: 0, end: 5 },
      { first: 300, end: 2 ** 33 },
    ],
    unfilteredKeys: [],
  }),
  entry(4, { minStart: 20_371n * DAY_NS, unfilteredKeys: [1, 0xffffffff] }),
];

const graves: Grave[] = [
  { kind: 'block', id: id(5), objects: ['spans.parquet', 'index'], removedMs: AT_MS },
  { kind: 'page', id: id(6), objects: [], removedMs: 0 },
  { kind: 'segment', id: id(17), objects: [], removedMs: AT_MS + 7 },
];

const root: Root = {
  tenant: TENANT,
  version: COMMIT_RING + 1000,
  commits: Array.from({ length: 3 }, (_, i) => `${i}f`.repeat(16)),
  floorMs: AT_MS - 172_800_000,
  aging: { floorMs: AT_MS - 180_000_000, sinceMs: 0 },
  covered: new Map([
    [id(7), 1],
    [id(8), 2 ** 40],
  ]),
  pages: [{ id: id(9), day: 0, lastDay: 20_371, entries: 4, bytes: 600, minStart: 0n, maxEnd: (1n << 64n) - 1n }],
  gravePages: [
    { id: id(10), graves: 2, stampMs: 0 },
    { id: id(11), graves: 64, stampMs: AT_MS },
  ],
  graves,
  added: [entry(12, { ordinals: [{ first: 7, end: 8 }] }), entry(13)],
  removed: new Set([id(14), id(1)]),
  nextOrdinal: 2 ** 33,
  segments: [
    { id: id(15), day: 20_371, first: 0, end: 12, holes: [], buckets: 1, stride: 512, entries: 120 },
    {
      id: id(16),
      day: 20_372,
      first: 20,
      end: 2 ** 33,
      holes: [21, 4000],
      buckets: 2 ** 17,
      stride: 4096,
      entries: 1e8,
    },
  ],
};

/** What version 1 could say: it had no trace index. */
const withoutIndex = (of: BlockEntry): BlockEntry => {
  const { ordinals: _ordinals, unfilteredKeys: _keys, ...entry } = of;
  return entry;
};
const rootWithoutIndex = (of: Root): Root => ({
  ...of,
  graves: of.graves.filter(({ kind }) => kind !== 'segment'),
  added: of.added.map(withoutIndex),
  nextOrdinal: 0,
  segments: [],
});

/** What a reader makes of the zeros: the time at which the root, or the root that names the page, was put. */
const STAMP_MS = AT_MS + 1;
const stampedGraves = graves.map((grave) => ({ ...grave, removedMs: grave.removedMs || STAMP_MS }));
const stampedRoot: Root = {
  ...root,
  aging: { ...root.aging, sinceMs: STAMP_MS },
  gravePages: root.gravePages.map((page) => ({ ...page, stampMs: page.stampMs || STAMP_MS })),
  graves: stampedGraves,
};

const directory = (version: number): URL => new URL(`../golden/v${version}/`, import.meta.url);
const newest = {
  root: encodeRoot(root),
  'entry-page': encodeEntryPage(TENANT, entries),
  'grave-page': encodeGravePage(TENANT, graves),
};

if (process.env['VIVACE_WRITE_GOLDEN'] === '1') {
  mkdirSync(directory(FORMAT_VERSION), { recursive: true });
  for (const [name, bytes] of Object.entries(newest)) writeFileSync(new URL(name, directory(FORMAT_VERSION)), bytes);
}

const file = (version: number, name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(name, directory(version))));

test.each([1, 2])('files of version %i are read as they always were', (version) => {
  const isFirst = version === 1;
  expect(decodeRoot(file(version, 'root'), TENANT, STAMP_MS)).toEqual(
    isFirst ? rootWithoutIndex(stampedRoot) : stampedRoot,
  );
  expect(decodeEntryPage(file(version, 'entry-page'), TENANT)).toEqual(isFirst ? entries.map(withoutIndex) : entries);
  expect(decodeGravePage(file(version, 'grave-page'), TENANT, STAMP_MS)).toEqual(
    stampedGraves.filter(({ kind }) => !isFirst || kind !== 'segment'),
  );
});

test('files of the newest version are written as they always were', () => {
  for (const [name, bytes] of Object.entries(newest)) {
    expect(Buffer.from(bytes).toString('hex'), name).toBe(Buffer.from(file(FORMAT_VERSION, name)).toString('hex'));
  }
});
