import type { EncodedBlock } from './encode-block.ts';
import { SECTION_NAMES, SECTION_OBJECTS, type SectionName, SINGLE_OBJECT } from './layout.ts';

/** Where a section of a block lies. */
export interface SectionPlace {
  /** Name of the object, relative to the block's place. */
  object: string;
  offset: number;
  length: number;
}

export interface BlockObjects {
  /** Objects to put; the parts of each are its bytes, one after another. */
  objects: { name: string; parts: Uint8Array[] }[];
  sections: Record<SectionName, SectionPlace>;
}

/** Below this a block is one object. */
export const SINGLE_OBJECT_MAX_BYTES = 8 * 1024 * 1024;

/** Lays a block out in one object, or in one a section when it is larger than `singleObjectMaxBytes`. */
export function layoutObjects(
  { sections }: Pick<EncodedBlock, 'sections'>,
  singleObjectMaxBytes: number = SINGLE_OBJECT_MAX_BYTES,
): BlockObjects {
  const lengths = SECTION_NAMES.map((name) => sections[name].reduce((sum, part) => sum + part.length, 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const single = total <= singleObjectMaxBytes;
  const places: Partial<Record<SectionName, SectionPlace>> = {};
  const objects: BlockObjects['objects'] = single ? [{ name: SINGLE_OBJECT, parts: [] }] : [];
  let at = 0;
  for (const [i, name] of SECTION_NAMES.entries()) {
    const length = lengths[i] as number;
    if (single) {
      places[name] = { object: SINGLE_OBJECT, offset: at, length };
      objects[0]?.parts.push(...sections[name]);
      at += length;
    } else {
      places[name] = { object: SECTION_OBJECTS[name], offset: 0, length };
      objects.push({ name: SECTION_OBJECTS[name], parts: sections[name] });
    }
  }
  return { objects, sections: places as Record<SectionName, SectionPlace> };
}
