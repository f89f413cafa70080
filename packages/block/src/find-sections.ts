import { equalBytes, isKind } from '@vivace/kernel';
import { type BlockIndex, decodeIndex, decodeIndexHeader } from './block-index.ts';
import { FILTER_BLOCK_BYTES } from './filter.ts';
import { INDEX_MAGIC, SECTION_NAMES, SECTION_OBJECTS, type SectionName, SINGLE_OBJECT } from './layout.ts';
import type { SectionPlace } from './layout-objects.ts';
import type { ReadRange } from './open-block.ts';

/** A block of which the manifest says nothing any more, worked out from its objects. */
export interface FoundBlock {
  sections: Record<SectionName, SectionPlace>;
  rows: number;
  traces: number;
  minStart: bigint;
  maxEnd: bigint;
  filterBytes: number;
}

/** Bytes of a single object that are read first: its index is at its end. */
const FIRST_READ_BYTES = 256 * 1024;

/**
 * Where the sections of a block lie, from the names and sizes of its objects and its index, which knows how long the
 * tables are. Undefined where objects are missing, or are not as long as they should be: a block that was not written
 * to its end, or is being deleted. `data` errors where the index is damaged; errors of `readRange` pass through.
 */
export async function findSections(
  objects: ReadonlyMap<string, number>,
  readRange: ReadRange,
  signal?: AbortSignal,
): Promise<FoundBlock | undefined> {
  const single = objects.get(SINGLE_OBJECT);
  return single === undefined ? findObjects(objects, readRange, signal) : findInOne(single, readRange, signal);
}

async function findObjects(
  objects: ReadonlyMap<string, number>,
  readRange: ReadRange,
  signal: AbortSignal | undefined,
): Promise<FoundBlock | undefined> {
  const sections: Partial<Record<SectionName, SectionPlace>> = {};
  for (const name of SECTION_NAMES) {
    const object = SECTION_OBJECTS[name];
    const length = objects.get(object);
    if (length === undefined) return undefined;
    sections[name] = { object, offset: 0, length };
  }
  const whole = sections as Record<SectionName, SectionPlace>;
  const index = decodeIndex(await readRange(whole.index.object, 0, whole.index.length, signal));
  const fits = tablesOf(index).every(([name, bytes]) => whole[name].length === bytes);
  return fits ? described(whole, index) : undefined;
}

async function findInOne(
  size: number,
  readRange: ReadRange,
  signal: AbortSignal | undefined,
): Promise<FoundBlock | undefined> {
  for (let length = Math.min(size, FIRST_READ_BYTES); ; length = Math.min(size, 4 * length)) {
    const bytes = await readRange(SINGLE_OBJECT, size - length, length, signal);
    const at = findIndex(bytes);
    if (at !== undefined) return inOne(size, size - length + at, decodeIndex(bytes.subarray(at)));
    if (length === size) return undefined;
  }
}

/** Where the index begins that ends with the bytes. */
function findIndex(bytes: Uint8Array): number | undefined {
  const tail = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = tail.lastIndexOf(INDEX_MAGIC); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(INDEX_MAGIC, at - 1)) {
    if (!equalBytes(bytes.subarray(at, at + INDEX_MAGIC.length), INDEX_MAGIC)) continue;
    try {
      const { listOffset, listBytes } = decodeIndexHeader(bytes.subarray(at));
      if (at + listOffset + listBytes === bytes.length) return at;
    } catch (error) {
      // The same letters in something else.
      if (!isKind(error, 'data')) throw error;
    }
  }
  return undefined;
}

function inOne(size: number, indexAt: number, index: BlockIndex): FoundBlock | undefined {
  const sections: Partial<Record<SectionName, SectionPlace>> = {};
  let at = 0;
  for (const [name, length] of tablesOf(index)) {
    sections[name] = { object: SINGLE_OBJECT, offset: at, length };
    at += length;
  }
  sections.filter = { object: SINGLE_OBJECT, offset: at, length: indexAt - at };
  sections.index = { object: SINGLE_OBJECT, offset: indexAt, length: size - indexAt };
  return described(sections as Record<SectionName, SectionPlace>, index);
}

function tablesOf(index: BlockIndex): ['spans' | 'events' | 'resources' | 'traces', number][] {
  return [
    ['spans', index.spans.bytes],
    ['events', index.events.bytes],
    ['resources', index.resourceTable.bytes],
    ['traces', index.traceTable.bytes],
  ];
}

function described(sections: FoundBlock['sections'], index: BlockIndex): FoundBlock | undefined {
  const { rows, traces, minStart, maxEnd } = index;
  const { length } = sections.filter;
  if (length <= 0 || length % FILTER_BLOCK_BYTES !== 0) return undefined;
  return { sections, rows, traces, minStart, maxEnd, filterBytes: length };
}
