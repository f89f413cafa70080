import { seededRandom, uuidV7 } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BlockEntry, entryDay, writeEntry } from './block-entry.ts';
import { ByteWriter } from './byte-writer.ts';
import { KIND_ENTRY_PAGE, PAGE_MAGIC } from './layout.ts';
import { decodeEntryPage, decodeGravePage, encodeEntryPage, encodeGravePage } from './page.ts';
import { anyEntry, anyGrave } from './testing/arbitraries.ts';
import { expectDamage, expectDamageNoticed } from './testing/damage.ts';
import { makeEntry } from './testing/entries.ts';

const TENANT = 'team-a';
const DAY_MS = 86_400_000;
const AT_MS = 20_000 * DAY_MS + 7_200_000;
const random = seededRandom(2);

const byDay = (entries: readonly BlockEntry[]) => entries.toSorted((a, b) => entryDay(a) - entryDay(b));

/** A page of one entry under `day`, whose last bytes are written by `write`. */
function handMade(day: number, write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  writer.text(TENANT);
  writer.varint(1);
  writer.varint(day);
  writer.varint(1);
  write(writer);
  return writer.finish(PAGE_MAGIC, KIND_ENTRY_PAGE);
}

/** An entry with these objects, all of whose sections are in the object numbered `object`. */
function writeByHand(writer: ByteWriter, objects: readonly string[], { flags = 0, object = 0 } = {}): void {
  writer.id(uuidV7(AT_MS, random));
  writer.u8(flags);
  for (let i = 0; i < 3; i++) writer.varint(1);
  writer.u64(0n);
  writer.u64(0n);
  for (let i = 0; i < 3; i++) writer.varint(0);
  writer.text('');
  writer.u8(objects.length);
  for (const name of objects) writer.text(name);
  for (let section = 0; section < 6; section++) {
    writer.u8(object);
    writer.varint(0);
    writer.varint(0);
  }
  writer.varint(0);
  if (flags > 1) writer.varint(0);
}

test('a page of entries reads as it was written', () => {
  fc.assert(
    fc.property(fc.array(anyEntry), (unsorted) => {
      const entries = byDay(unsorted);
      expect(decodeEntryPage(encodeEntryPage(TENANT, entries), TENANT)).toEqual(entries);
    }),
    { numRuns: 60 },
  );
});

test('a page of the graveyard reads as it was written', () => {
  fc.assert(
    fc.property(fc.array(anyGrave), (graves) => {
      expect(decodeGravePage(encodeGravePage(TENANT, graves), TENANT, AT_MS)).toEqual(graves);
    }),
    { numRuns: 60 },
  );
});

test('graves that were new when their page was written get the stamp of the page', () => {
  const grave = { kind: 'page' as const, id: uuidV7(AT_MS, random), objects: [] };
  const graves = [0, AT_MS - 1].map((removedMs) => ({ ...grave, removedMs }));
  const read = decodeGravePage(encodeGravePage(TENANT, graves), TENANT, AT_MS);
  expect(read.map(({ removedMs }) => removedMs)).toEqual([AT_MS, AT_MS - 1]);
});

test('every cut and every flipped bit of a page is noticed', () => {
  const entries = [makeEntry(random, AT_MS), makeEntry(random, AT_MS + DAY_MS, { misdated: true })];
  expectDamageNoticed(encodeEntryPage(TENANT, entries), (bytes) => decodeEntryPage(bytes, TENANT));
  const graves = entries.map(({ id }) => ({ kind: 'block' as const, id, objects: ['block'], removedMs: AT_MS }));
  expectDamageNoticed(encodeGravePage(TENANT, graves), (bytes) => decodeGravePage(bytes, TENANT, AT_MS));
});

test('pages of another tenant or kind are not taken', () => {
  const entries = encodeEntryPage(TENANT, []);
  const graves = encodeGravePage(TENANT, []);
  expectDamage(() => decodeEntryPage(entries, 'Team-A'), 'another tenant');
  expectDamage(() => decodeGravePage(graves, 'Team-A', AT_MS), 'another tenant');
  expectDamage(() => decodeEntryPage(graves, TENANT), 'another kind');
  expectDamage(() => decodeGravePage(entries, TENANT, AT_MS), 'another kind');
});

test('a misdated entry is filed under the day of its commit, any other under that of its data', () => {
  const lost = { minStart: 5n * BigInt(DAY_MS) * 1_000_000n, commitTimeMs: AT_MS };
  expect(entryDay(makeEntry(random, AT_MS, lost))).toBe(5);
  expect(entryDay(makeEntry(random, AT_MS, { ...lost, misdated: true }))).toBe(20_000);
});

test('an entry under a day that is not its own is damage', () => {
  const entry = makeEntry(random, AT_MS);
  expect(
    decodeEntryPage(
      handMade(20_000, (writer) => writeEntry(writer, entry)),
      TENANT,
    ),
  ).toEqual([entry]);
  const misfiled = handMade(20_001, (writer) => writeEntry(writer, entry));
  expectDamage(() => decodeEntryPage(misfiled, TENANT), 'another day');
});

test('names of objects that could shape a path are damage', () => {
  const decode = (objects: readonly string[], options = {}) =>
    decodeEntryPage(
      handMade(0, (writer) => writeByHand(writer, objects, options)),
      TENANT,
    );
  expect(decode(['block'])[0]?.sections.index).toEqual({ object: 'block', offset: 0, length: 0 });
  for (const name of ['', '.', '..', 'a/b', '../root', '-x', 'a b', 'é', 'x'.repeat(64)]) {
    expectDamage(() => decode([name]), 'impossible name');
  }
});

test('an entry whose section is in no object, or that has an unknown mark, is damage', () => {
  const decode = (options: object) =>
    decodeEntryPage(
      handMade(0, (writer) => writeByHand(writer, ['block'], options)),
      TENANT,
    );
  expect(decode({ flags: 1 })[0]?.misdated).toBe(true);
  expectDamage(() => decode({ object: 1 }), 'in no object');
  expect(decode({ flags: 2 })[0]?.unfilteredKeys).toEqual([]);
  expectDamage(() => decode({ flags: 4 }), 'mark');
});
