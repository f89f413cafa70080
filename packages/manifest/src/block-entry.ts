import { assert } from '@vivace/kernel';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { FLAG_MISDATED, FLAG_UNFILTERED_KEYS, SECTION_NAMES } from './layout.ts';
import { type OrdinalRange, readOrdinals, writeOrdinals } from './ordinals.ts';

export type SectionName = (typeof SECTION_NAMES)[number];

/** Where a section of a block lies. */
export interface SectionPlace {
  /** The object's name in the block, see `blockKey`. Small blocks have one object for all sections. */
  object: string;
  offset: number;
  /** 0 where the block has nothing of the kind. */
  length: number;
}

/** What the manifest says of a block. */
export interface BlockEntry {
  /** UUIDv7, made with `Manifest.storeTimeMs`. */
  id: string;
  sections: Record<SectionName, SectionPlace>;
  /** Spans and traces. */
  rows: number;
  traces: number;
  /** The earliest start and the latest end of a span, unsigned Unix nanoseconds. */
  minStart: bigint;
  maxEnd: bigint;
  /** The store's clock when the objects were put, milliseconds since 1970. */
  commitTimeMs: number;
  /** 0 as cut from the log; each compaction adds one. */
  level: number;
  /** Decides how long the block is kept; empty: the tenant's default. */
  retentionClass: string;
  filterBytes: number;
  /** The root's version up to which deletes are already applied to the rows. */
  applied: number;
  /** Spans whose time is far from their receipt: windows and retention go by `commitTimeMs`. */
  misdated?: boolean;
  /** Given by the commit that adds the block; absent in what version 1 wrote. */
  ordinals?: readonly OrdinalRange[];
  /**
   * Hashes of the keys that have values which the block's filter does not know (arrays, maps, bytes), ascending. Of
   * other keys its "no" is final. Absent: they are not known, or too many.
   */
  unfilteredKeys?: readonly number[];
}

/** Above it an entry says nothing of them. */
const MAX_UNFILTERED_KEYS = 64;

const DAY_MS = 86_400_000;
const DAY_NS = 86_400_000_000_000n;
const objectName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Days since 1970 that an entry is filed under. */
export function entryDay(entry: BlockEntry): number {
  return entry.misdated === true ? Math.floor(entry.commitTimeMs / DAY_MS) : Number(entry.minStart / DAY_NS);
}

/** When the data of a block ends; of blocks whose data has impossible times, when it came. Milliseconds since 1970. */
export function entryTimeMs(entry: BlockEntry): number {
  return entry.misdated === true ? entry.commitTimeMs : Number(entry.maxEnd / 1_000_000n);
}

/** The names of a block's objects, each once. */
export function entryObjects(entry: BlockEntry): string[] {
  return [...new Set(SECTION_NAMES.map((name) => entry.sections[name].object))];
}

function isObjectName(name: string): boolean {
  return objectName.test(name);
}

export const ENTRY_MIN_BYTES = 16 + 3 + 16 + 4 + 3 + 6 * 3;

export function writeEntry(writer: ByteWriter, entry: BlockEntry): void {
  writer.id(entry.id);
  const { ordinals = [], unfilteredKeys } = entry;
  writer.u8((entry.misdated === true ? FLAG_MISDATED : 0) | (unfilteredKeys === undefined ? 0 : FLAG_UNFILTERED_KEYS));
  writer.varint(entry.level);
  writer.varint(entry.rows);
  writer.varint(entry.traces);
  writer.u64(entry.minStart);
  writer.u64(entry.maxEnd);
  writer.varint(Math.floor(entry.commitTimeMs));
  writer.varint(entry.filterBytes);
  writer.varint(entry.applied);
  writer.text(entry.retentionClass);
  const objects = entryObjects(entry);
  writer.u8(objects.length);
  for (const object of objects) {
    assert(isObjectName(object), `not a name of a block's object: ${object}`);
    writer.text(object);
  }
  for (const name of SECTION_NAMES) {
    const { object, offset, length } = entry.sections[name];
    writer.u8(objects.indexOf(object));
    writer.varint(offset);
    writer.varint(length);
  }
  writeOrdinals(writer, ordinals);
  if (unfilteredKeys === undefined) return;
  assert(unfilteredKeys.length <= MAX_UNFILTERED_KEYS, 'an entry has too many keys without a filter');
  writer.varint(unfilteredKeys.length);
  for (const key of unfilteredKeys) writer.u32(key);
}

export function readEntry(reader: ByteReader): BlockEntry {
  const id = reader.uuid();
  const flags = reader.u8();
  const flagsKnown = reader.version === 1 ? FLAG_MISDATED : FLAG_MISDATED | FLAG_UNFILTERED_KEYS;
  if (flags > flagsKnown) throw reader.damage('an entry has a mark that this program does not know');
  const level = reader.varint();
  const rows = reader.varint();
  const traces = reader.varint();
  const minStart = reader.u64();
  const maxEnd = reader.u64();
  const commitTimeMs = reader.varint();
  const filterBytes = reader.varint();
  const applied = reader.varint();
  const retentionClass = reader.text();
  const objects: string[] = [];
  for (let left = reader.u8(); left > 0; left--) objects.push(readObjectName(reader));
  const sections = {} as Record<SectionName, SectionPlace>;
  for (const name of SECTION_NAMES) {
    const object = objects[reader.u8()];
    if (object === undefined) throw reader.damage('a section is in no object');
    sections[name] = { object, offset: reader.varint(), length: reader.varint() };
  }
  const entry: BlockEntry = {
    id,
    sections,
    rows,
    traces,
    minStart,
    maxEnd,
    commitTimeMs,
    level,
    retentionClass,
    filterBytes,
    applied,
  };
  if ((flags & FLAG_MISDATED) !== 0) entry.misdated = true;
  if (reader.version === 1) return entry;
  const ordinals = readOrdinals(reader);
  if (ordinals.length > 0) entry.ordinals = ordinals;
  if ((flags & FLAG_UNFILTERED_KEYS) !== 0) {
    const keys = reader.count(4);
    if (keys > MAX_UNFILTERED_KEYS) throw reader.damage('an entry has too many keys without a filter');
    entry.unfilteredKeys = Array.from({ length: keys }, () => reader.u32());
  }
  return entry;
}

/** A name becomes part of a key: one that could shape a path is damage. */
export function readObjectName(reader: ByteReader): string {
  const name = reader.text();
  if (!isObjectName(name)) throw reader.damage('an object has an impossible name');
  return name;
}
