import { type BlockEntry, entryObjects, readObjectName } from './block-entry.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { GRAVE_BLOCK, GRAVE_PAGE, GRAVE_SEGMENT } from './layout.ts';
import { blockKey, pageKey, segmentKey } from './paths.ts';

/** Something that the manifest named once and does not name any more: its objects are deleted some time later. */
export interface Grave {
  kind: 'block' | 'page' | 'segment';
  id: string;
  /** Names of a block's objects; none for a page or a segment. */
  objects: readonly string[];
  /**
   * When the root that no longer names it was put, by the store's clock. 0 in the root that buried it: a writer
   * cannot know, however long it stalls between deciding and putting. Whoever reads that root takes its
   * Last-Modified, and the next commit writes that down.
   */
  removedMs: number;
}

export const GRAVE_MIN_BYTES = 16 + 3;

const KIND_CODES = { block: GRAVE_BLOCK, page: GRAVE_PAGE, segment: GRAVE_SEGMENT } as const;
const KINDS = Object.keys(KIND_CODES) as Grave['kind'][];

export function blockGrave(entry: BlockEntry): Grave {
  return { kind: 'block', id: entry.id, objects: entryObjects(entry), removedMs: 0 };
}

export function pageGrave(id: string): Grave {
  return { kind: 'page', id, objects: [], removedMs: 0 };
}

export function segmentGrave(id: string): Grave {
  return { kind: 'segment', id, objects: [], removedMs: 0 };
}

export function graveKeys(tenant: string, grave: Grave): string[] {
  if (grave.kind === 'page') return [pageKey(tenant, grave.id)];
  if (grave.kind === 'segment') return [segmentKey(tenant, grave.id)];
  return grave.objects.map((object) => blockKey(tenant, grave.id, object));
}

export function writeGrave(writer: ByteWriter, grave: Grave): void {
  writer.id(grave.id);
  writer.u8(KIND_CODES[grave.kind]);
  writer.varint(grave.removedMs);
  writer.u8(grave.objects.length);
  for (const object of grave.objects) writer.text(object);
}

export function readGrave(reader: ByteReader): Grave {
  const id = reader.uuid();
  const code = reader.u8();
  const kind = KINDS[code];
  if (kind === undefined || (kind === 'segment' && reader.version === 1)) {
    throw reader.damage('the graveyard has something unknown');
  }
  const removedMs = reader.varint();
  const objects: string[] = [];
  for (let left = reader.u8(); left > 0; left--) objects.push(readObjectName(reader));
  return { kind, id, objects, removedMs };
}
