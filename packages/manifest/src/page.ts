import { type BlockEntry, ENTRY_MIN_BYTES, entryDay, readEntry, writeEntry } from './block-entry.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { GRAVE_MIN_BYTES, type Grave, readGrave, writeGrave } from './graveyard.ts';
import { KIND_ENTRY_PAGE, KIND_GRAVE_PAGE, PAGE_MAGIC } from './layout.ts';

/**
 * Pages hold what a root has no room for. They are immutable, and each is named by a root that also says what is
 * in it, so that a reader loads only the days it needs.
 */

/** Entries in ascending order of their days; FORMAT.md has the layout. */
export function encodeEntryPage(tenant: string, entries: readonly BlockEntry[]): Uint8Array {
  const writer = new ByteWriter();
  writer.text(tenant);
  const days = new Map<number, BlockEntry[]>();
  for (const entry of entries) {
    const day = entryDay(entry);
    const group = days.get(day);
    if (group) group.push(entry);
    else days.set(day, [entry]);
  }
  writer.varint(days.size);
  for (const [day, group] of days) {
    writer.varint(day);
    writer.varint(group.length);
    for (const entry of group) writeEntry(writer, entry);
  }
  return writer.finish(PAGE_MAGIC, KIND_ENTRY_PAGE);
}

/** Throws `data` (code `manifest-damaged`) for anything but a page of entries of this tenant. */
export function decodeEntryPage(bytes: Uint8Array, tenant: string): BlockEntry[] {
  const reader = new ByteReader(bytes, PAGE_MAGIC, KIND_ENTRY_PAGE, 'a page of the manifest');
  if (reader.text() !== tenant) throw reader.damage('it is of another tenant');
  const entries: BlockEntry[] = [];
  for (let days = reader.count(2); days > 0; days--) {
    const day = reader.varint();
    for (let left = reader.count(ENTRY_MIN_BYTES); left > 0; left--) {
      const entry = readEntry(reader);
      if (entryDay(entry) !== day) throw reader.damage('an entry is filed under another day');
      entries.push(entry);
    }
  }
  reader.finish();
  return entries;
}

export function encodeGravePage(tenant: string, graves: readonly Grave[]): Uint8Array {
  const writer = new ByteWriter();
  writer.text(tenant);
  writer.varint(graves.length);
  for (const grave of graves) writeGrave(writer, grave);
  return writer.finish(PAGE_MAGIC, KIND_GRAVE_PAGE);
}

/** Graves that were new when the page was written get `stampMs`, see `Grave.removedMs`. */
export function decodeGravePage(bytes: Uint8Array, tenant: string, stampMs: number): Grave[] {
  const reader = new ByteReader(bytes, PAGE_MAGIC, KIND_GRAVE_PAGE, 'a page of the graveyard');
  if (reader.text() !== tenant) throw reader.damage('it is of another tenant');
  const graves: Grave[] = [];
  for (let left = reader.count(GRAVE_MIN_BYTES); left > 0; left--) {
    const grave = readGrave(reader);
    graves.push(grave.removedMs === 0 ? { ...grave, removedMs: stampMs } : grave);
  }
  reader.finish();
  return graves;
}
