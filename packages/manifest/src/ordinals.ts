import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/**
 * Ordinals number a tenant's blocks in the order of their commits. A block that replaces others takes over their
 * ordinals: what a segment of the trace index says of an ordinal stays true of the blocks that have it now.
 */
export interface OrdinalRange {
  first: number;
  /** The one after the last. */
  end: number;
}

/** The next ordinal of a root, which has it no more. */
export function takeOrdinal(root: { nextOrdinal: number }): OrdinalRange {
  return { first: root.nextOrdinal, end: ++root.nextOrdinal };
}

/** The ordinals that any of the lists has, in ascending ranges that do not touch. */
export function uniteOrdinals(lists: Iterable<readonly OrdinalRange[]>): OrdinalRange[] {
  const all = [...lists].flat().sort((a, b) => a.first - b.first);
  const united: OrdinalRange[] = [];
  for (const { first, end } of all) {
    const last = united.at(-1);
    if (last !== undefined && first <= last.end) last.end = Math.max(last.end, end);
    else united.push({ first, end });
  }
  return united;
}

/** Each range as its distance from the one before and its length. */
export function writeOrdinals(writer: ByteWriter, ordinals: readonly OrdinalRange[]): void {
  writer.varint(ordinals.length);
  let at = 0;
  for (const { first, end } of ordinals) {
    writer.varint(first - at);
    writer.varint(end - first);
    at = end;
  }
}

export function readOrdinals(reader: ByteReader): OrdinalRange[] {
  const ordinals: OrdinalRange[] = [];
  let at = 0;
  for (let left = reader.count(2); left > 0; left--) {
    const first = at + reader.varint();
    at = first + reader.varint();
    if (!Number.isSafeInteger(at) || at === first) throw reader.damage('ordinals are not ranges');
    ordinals.push({ first, end: at });
  }
  return ordinals;
}
