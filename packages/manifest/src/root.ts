import { type BlockEntry, ENTRY_MIN_BYTES, readEntry, writeEntry } from './block-entry.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { GRAVE_MIN_BYTES, type Grave, readGrave, writeGrave } from './graveyard.ts';
import { COMMIT_RING, KIND_ROOT, ROOT_MAGIC } from './layout.ts';
import { rootKey } from './paths.ts';
import {
  areDisjoint,
  MAX_SEGMENTS,
  readSegment,
  SEGMENT_MIN_BYTES,
  type TraceSegment,
  writeSegment,
} from './trace-segment.ts';

/** The one mutable object of a tenant. Never changed in place: a commit makes the next one from a copy. */
export interface Root {
  tenant: string;
  /** 1 is the first that is stored; each commit adds one. */
  version: number;
  /** The ids (32 hex digits) of the last commits, oldest first; the last made this version. */
  commits: string[];
  /** Ids of blocks, pages and first-mentioned streams that are older are refused, milliseconds since 1970. */
  floorMs: number;
  /**
   * A floor that stands since a time (0: since this root was put, see `Grave.removedMs`). When that is long ago, no
   * query is left that has listed a stream below it, and the coverage of those can be forgotten.
   */
  aging: { floorMs: number; sinceMs: number };
  /** Stream → the last segment whose records of this tenant are in blocks. */
  covered: Map<string, number>;
  pages: PageRef[];
  gravePages: GravePageRef[];
  graves: Grave[];
  /** Live entries that are not in pages. */
  added: BlockEntry[];
  /** Ids of entries in pages that are not live any more. */
  removed: Set<string>;
  /** The next block that is added gets it. */
  nextOrdinal: number;
  /** The trace index, in the order of its ordinals. */
  segments: TraceSegment[];
}

/** A page of entries, as the root names it. */
export interface PageRef {
  id: string;
  /** First and last day (since 1970) of its entries. */
  day: number;
  lastDay: number;
  entries: number;
  bytes: number;
  /** Of the data of all its entries, Unix nanoseconds. */
  minStart: bigint;
  maxEnd: bigint;
}

export interface GravePageRef {
  id: string;
  graves: number;
  /** When graves that were new in the page were dug; 0: with the root that names the page first. */
  stampMs: number;
}

/** What a tenant has before its first commit. */
export function emptyRoot(tenant: string): Root {
  return {
    tenant,
    version: 0,
    commits: [],
    floorMs: 0,
    aging: { floorMs: 0, sinceMs: 0 },
    covered: new Map(),
    pages: [],
    gravePages: [],
    graves: [],
    added: [],
    removed: new Set(),
    nextOrdinal: 0,
    segments: [],
  };
}

/** A copy that can be changed without changing the original. */
export function copyRoot(root: Root): Root {
  return {
    ...root,
    commits: [...root.commits],
    covered: new Map(root.covered),
    pages: [...root.pages],
    gravePages: [...root.gravePages],
    graves: [...root.graves],
    added: [...root.added],
    removed: new Set(root.removed),
    segments: [...root.segments],
  };
}

/** The id of the commit that made `version`; undefined where the root does not remember it. */
export function commitOf(root: Root, version: number): string | undefined {
  return root.commits[root.commits.length - 1 - (root.version - version)];
}

const PAGE_REF_BYTES = 16 + 4 + 16;

export function encodeRoot(root: Root): Uint8Array {
  const writer = new ByteWriter();
  writer.text(root.tenant);
  writer.varint(root.version);
  writer.varint(root.floorMs);
  writer.varint(root.aging.floorMs);
  writer.varint(root.aging.sinceMs);
  writer.varint(root.commits.length);
  for (const id of root.commits) writer.id(id);
  writer.varint(root.covered.size);
  for (const [stream, segment] of root.covered) {
    writer.id(stream);
    writer.varint(segment);
  }
  // Deletes: reserved. A program that does not know them must not answer from a root that has some.
  writer.varint(0);
  writer.varint(root.pages.length);
  for (const page of root.pages) {
    writer.id(page.id);
    writer.varint(page.day);
    writer.varint(page.lastDay);
    writer.varint(page.entries);
    writer.varint(page.bytes);
    writer.u64(page.minStart);
    writer.u64(page.maxEnd);
  }
  writer.varint(root.gravePages.length);
  for (const page of root.gravePages) {
    writer.id(page.id);
    writer.varint(page.graves);
    writer.varint(page.stampMs);
  }
  writer.varint(root.graves.length);
  for (const grave of root.graves) writeGrave(writer, grave);
  writer.varint(root.added.length);
  for (const entry of root.added) writeEntry(writer, entry);
  writer.varint(root.removed.size);
  for (const id of root.removed) writer.id(id);
  writer.varint(root.nextOrdinal);
  writer.varint(root.segments.length);
  for (const segment of root.segments) writeSegment(writer, segment);
  return writer.finish(ROOT_MAGIC, KIND_ROOT);
}

/**
 * `lastModifiedMs` is of the object that the bytes are of: what this root buried has been there since then.
 * Throws `data` (code `manifest-damaged`) for anything but a root of this tenant.
 */
export function decodeRoot(bytes: Uint8Array, tenant: string, lastModifiedMs: number): Root {
  const reader = new ByteReader(bytes, ROOT_MAGIC, KIND_ROOT, `the root of tenant ${tenant} (${rootKey(tenant)})`);
  const root = emptyRoot(reader.text());
  if (root.tenant !== tenant) throw reader.damage('it is of another tenant');
  root.version = reader.varint();
  root.floorMs = reader.varint();
  root.aging = { floorMs: reader.varint(), sinceMs: reader.varint() || lastModifiedMs };
  for (let left = reader.count(16); left > 0; left--) root.commits.push(reader.id());
  if (root.commits.length === 0 || root.commits.length > Math.min(COMMIT_RING, root.version)) {
    throw reader.damage('its commits do not match its version');
  }
  for (let left = reader.count(17); left > 0; left--) root.covered.set(reader.uuid(), reader.varint());
  if (reader.varint() !== 0) throw reader.damage('it has deletes, which this program does not know');
  for (let left = reader.count(PAGE_REF_BYTES); left > 0; left--) {
    root.pages.push({
      id: reader.uuid(),
      day: reader.varint(),
      lastDay: reader.varint(),
      entries: reader.varint(),
      bytes: reader.varint(),
      minStart: reader.u64(),
      maxEnd: reader.u64(),
    });
  }
  for (let left = reader.count(18); left > 0; left--) {
    const id = reader.uuid();
    const graves = reader.varint();
    const stampMs = reader.varint();
    root.gravePages.push({ id, graves, stampMs: stampMs === 0 ? lastModifiedMs : stampMs });
  }
  for (let left = reader.count(GRAVE_MIN_BYTES); left > 0; left--) {
    const grave = readGrave(reader);
    root.graves.push(grave.removedMs === 0 ? { ...grave, removedMs: lastModifiedMs } : grave);
  }
  for (let left = reader.count(ENTRY_MIN_BYTES); left > 0; left--) root.added.push(readEntry(reader));
  for (let left = reader.count(16); left > 0; left--) root.removed.add(reader.uuid());
  if (reader.version > 1) {
    root.nextOrdinal = reader.varint();
    for (let left = reader.count(SEGMENT_MIN_BYTES); left > 0; left--) root.segments.push(readSegment(reader));
    if (root.segments.length > MAX_SEGMENTS || !areDisjoint(root.segments, root.nextOrdinal)) {
      throw reader.damage('segments of its trace index overlap');
    }
  }
  reader.finish();
  return root;
}
