import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type BlockIndex, type BlockPlace, decodeIndex, encodeBlock, layoutObjects } from '@vivace/block';
import { allRows, blockOrder, groupChunks } from '@vivace/block/testing';
import { Columnizer, ColumnSet, type ColumnSetView, encodeSpans, mergeTrace } from '@vivace/columns';
import { concatBytes, crc32, type Random } from '@vivace/kernel';
import { decodeRawTraces, spanTexts } from '@vivace/otlp/testing';
import { parquetMetadata } from 'hyparquet';
import { below, expectThat, oneIn, pick } from './fuzz-target.ts';
import { boldNumber, damageInPlace, mutateBytes, varintOf } from './mutate-bytes.ts';
import { encodedTraces } from './seeds.ts';

/** A block in one object, and what is in it. */
export interface CorpusBlock {
  place: BlockPlace;
  bytes: Uint8Array;
  index: BlockIndex;
  traceIds: Uint8Array[];
  /** By position of the trace: its spans as `spanTexts` has them. */
  traceTexts: string[][];
  /** By row group. */
  groupTexts: string[][];
}

/** Small blocks of every shape of span, in small pages and row groups. Their tables are read by hyparquet as well. */
export function corpusBlocks(seed: number, count = 6): CorpusBlock[] {
  return Array.from({ length: count }, (_, number) => corpusBlock(seed + number, number));
}

function corpusBlock(seed: number, number: number): CorpusBlock {
  const set = new ColumnSet({ seed: 7, maxColumns: number % 3 === 0 ? 5 : 1000 });
  const columnizer = new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 });
  for (const request of encodedTraces(seed, 12 + number * 8)) columnizer.add(request);
  const view = set.view();
  const encoded = encodeBlock(view, blockOrder(view), { rowGroupRows: 20 + number * 25, pageRows: 8 + number * 8 });
  const { objects, sections } = layoutObjects(encoded);
  const [only] = objects;
  expectThat(only !== undefined && objects.length === 1, 'a small block is one object');
  const bytes = concatBytes(only.parts);
  const index = decodeIndex(sectionBytes(bytes, sections.index));
  const tables = [
    ['spans', index.rows],
    ['events', index.eventRows],
    ['traces', index.traces],
    ['resources', index.resourceCount + index.scopeCount],
  ] as const;
  for (const [name, rows] of tables) {
    if (sections[name].length === 0 && rows === 0) continue;
    const metadata = parquetMetadata(sectionBytes(bytes, sections[name]).slice().buffer);
    expectThat(Number(metadata.num_rows) === rows, `hyparquet finds other rows in the table ${name}`);
  }
  const traceIds: Uint8Array[] = [];
  const traceTexts: string[][] = [];
  for (let trace = 0; trace < set.traces.count; trace++) {
    const spans = encodeSpans(view, set.traces.rows(trace));
    if (spans.count === 0) continue;
    traceIds.push(view.traceIds.slice(16 * trace, 16 * trace + 16));
    traceTexts.push(textsOf(view, set.traces.rows(trace)));
  }
  const order = blockOrder(view);
  const groupTexts = index.spans.groups.map(({ firstRow, rows }) => {
    return textsOf(view, order.slice(firstRow, firstRow + rows).toSorted());
  });
  return { place: { id: `block-${number}`, sections }, bytes, index, traceIds, traceTexts, groupTexts };
}

function textsOf(view: ColumnSetView, rows: Int32Array): string[] {
  return spanTexts(decodeRawTraces(mergeTrace([encodeSpans(view, rows)], { maxBytes: 1 << 30 }).bytes));
}

/** All spans of what a block gave. */
export function readTexts(view: ColumnSetView): string[] {
  return textsOf(view, Int32Array.from(allRows(view)));
}

interface Place {
  offset: number;
  length: number;
}

export function sectionBytes(bytes: Uint8Array, { offset, length }: Place): Uint8Array {
  return bytes.subarray(offset, offset + length);
}

const HEADER_BYTES = 52;

/** The index of a block with changes that its checksums agree with. */
export function forgedIndex(random: Random, index: Uint8Array): Uint8Array {
  const parts = splitIndex(index);
  const which = pick(random, [0, 0, 0, 1, 2]);
  if (below(random, 6) === 0) {
    // The trace list, whose pieces have their checksums in the front.
    const list = damageInPlace(random, parts.list);
    return joinIndex({ ...parts, list }, pieceChecksums(parts.raw[0] as Uint8Array, index, list));
  }
  const raw = parts.raw[which] as Uint8Array;
  const changed = below(random, 3) === 0 ? mutateBytes(random, raw, raw) : boldVarint(random, raw);
  parts.raw[which] = below(random, 2) === 0 ? damageInPlace(random, changed) : changed;
  const claimed = below(random, 8) === 0 ? Number(boldNumber(random) & 0xffffffffn) : undefined;
  return joinIndex(parts, undefined, claimed === undefined ? undefined : { part: which, rawBytes: claimed });
}

/** Overwrites what may be a varint by another, longer or shorter. */
function boldVarint(random: Random, bytes: Uint8Array): Uint8Array {
  const at = below(random, bytes.length);
  let end = at + 1;
  while (end < bytes.length && (bytes[end - 1] as number) > 127) end++;
  return concatBytes([bytes.subarray(0, at), Uint8Array.from(varintOf(boldNumber(random))), bytes.subarray(end)]);
}

interface IndexParts {
  header: Uint8Array;
  /** Front, owners, summary, inflated. */
  raw: Uint8Array[];
  list: Uint8Array;
}

function splitIndex(index: Uint8Array): IndexParts {
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  const raw: Uint8Array[] = [];
  let at = HEADER_BYTES;
  for (let part = 0; part < 3; part++) {
    const stored = view.getUint32(8 + 12 * part, true);
    const bytes = index.subarray(at, at + stored);
    raw.push(stored === view.getUint32(12 + 12 * part, true) ? bytes : zstdDecompressSync(bytes));
    at += stored;
  }
  return { header: index.slice(0, HEADER_BYTES), raw, list: index.subarray(at) };
}

function joinIndex(
  { header, raw, list }: IndexParts,
  front: Uint8Array | undefined,
  lie?: { part: number; rawBytes: number },
): Uint8Array {
  const out = header.slice();
  const view = new DataView(out.buffer);
  const stored = raw.map((bytes, part) => {
    const content = part === 0 && front !== undefined ? front : bytes;
    const packed = zstdCompressSync(content);
    const kept = packed.length < content.length ? packed : content;
    view.setUint32(8 + 12 * part, kept.length, true);
    view.setUint32(12 + 12 * part, lie?.part === part ? lie.rawBytes : content.length, true);
    view.setUint32(16 + 12 * part, crc32(kept), true);
    return kept;
  });
  view.setUint32(44, list.length, true);
  view.setUint32(48, crc32(out.subarray(0, 48)), true);
  return concatBytes([out, ...stored, list]);
}

/** The front with the checksums that changed pieces of the trace list have. */
function pieceChecksums(front: Uint8Array, index: Uint8Array, list: Uint8Array): Uint8Array {
  const { traceGroups } = decodeIndex(index);
  const [first] = traceGroups;
  let out = front;
  for (const { list: piece } of traceGroups) {
    const from = piece.offset - (first as (typeof traceGroups)[0]).list.offset;
    out = withChecksum(out, piece.crc, crc32(list.subarray(from, from + piece.length)));
  }
  return out;
}

/** Changes bytes of one page and its checksum in the index. */
function forgedPage(random: Random, { bytes, place, index }: CorpusBlock): Uint8Array {
  const table = pick(random, ['spans', 'spans', 'spans', 'events', 'resources'] as const);
  const layout = table === 'resources' ? index.resourceTable : index[table];
  const number = below(random, layout.groups.length);
  const group = layout.groups[number];
  if (group === undefined || group.length === 0) return bytes;
  const chunks = groupChunks(layout, number);
  const pages = chunks.flatMap(({ dictionary, pages: data }) => (dictionary ? [dictionary, ...data] : data));
  const stored = pages.filter(({ values, bodyBytes }) => values > 0 && bodyBytes > 0);
  if (stored.length === 0) return bytes;
  const page = pick(random, stored);
  const from = place.sections[table].offset + group.offset + page.offset;
  const out = bytes.slice();
  const body = out.subarray(from, from + page.bodyBytes);
  const changed = damageInPlace(random, body);
  body.set(changed);
  const indexPlace = place.sections.index;
  const parts = splitIndex(sectionBytes(bytes, indexPlace));
  const front = withChecksum(parts.raw[0] as Uint8Array, page.crc, crc32(body));
  return concatBytes([out.subarray(0, indexPlace.offset), joinIndex(parts, front)]);
}

/** Replaces the four bytes of a checksum wherever they stand. */
function withChecksum(bytes: Uint8Array, old: number, by: number): Uint8Array {
  const out = Buffer.from(bytes);
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32LE(old);
  for (let at = out.indexOf(wanted); at >= 0; at = out.indexOf(wanted, at + 4)) out.writeUInt32LE(by, at);
  return new Uint8Array(out);
}

/** A block whose checksums agree with what was changed. */
export function forgedBlock(random: Random, block: CorpusBlock): Uint8Array {
  const { index } = block.place.sections;
  if (!oneIn(random, 3)) return forgedPage(random, block);
  return concatBytes([block.bytes.subarray(0, index.offset), forgedIndex(random, sectionBytes(block.bytes, index))]);
}

/** A block with damage in one section; some are small, and each has the same chance. */
export function damagedBlock(random: Random, { bytes, place }: CorpusBlock): Uint8Array {
  const { offset, length } = pick(random, Object.values(place.sections));
  const damaged = bytes.slice();
  const section = damaged.subarray(offset, offset + length);
  section.set(damageInPlace(random, section));
  return damaged;
}
