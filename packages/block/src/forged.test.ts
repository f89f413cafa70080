import { zstdDecompressSync } from 'node:zlib';
import { concatBytes, crc32 } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { decodeIndex } from './block-index.ts';
import { ByteReader } from './byte-reader.ts';
import { ColumnBuilder } from './column-builder.ts';
import { encodeBlock } from './encode-block.ts';
import { INDEX_HEADER_BYTES } from './layout.ts';
import { readChunkEntries } from './parquet/directory.ts';
import { BOOLEAN, BYTE_ARRAY, DOUBLE, PLAIN } from './parquet/types.ts';
import { planTrace } from './plan-trace.ts';
import { blockOrder, buildSet } from './testing.ts';

// Checksums agree with these changes: what is left are the checks of the structure.

const set = buildSet(
  [1, 2, 3].map((i) => ({
    traceId: `${i}`.padStart(32, '0'),
    spanId: `${i}`.padStart(16, '0'),
    start: 1n,
    end: 2n,
    events: [{ name: 'e', time: 1n }],
  })),
);
const index = concatBytes(encodeBlock(set, blockOrder(set)).sections.index);

/** The index with its front, which begins with the numbers of rows, traces and event rows, changed. */
function forged(change: (front: Uint8Array) => void): Uint8Array {
  const out = index.slice();
  const view = new DataView(out.buffer);
  const [stored, raw] = [view.getUint32(8, true), view.getUint32(12, true)];
  const part = out.subarray(INDEX_HEADER_BYTES, INDEX_HEADER_BYTES + stored);
  const front = stored === raw ? part.slice() : new Uint8Array(zstdDecompressSync(part));
  change(front);
  view.setUint32(8, front.length, true);
  view.setUint32(16, crc32(front), true);
  view.setUint32(48, crc32(out.subarray(0, 48)), true);
  const header = out.subarray(0, INDEX_HEADER_BYTES);
  return concatBytes([header, front, out.subarray(INDEX_HEADER_BYTES + stored)]);
}

const damaged = expect.objectContaining({ kind: 'data', code: 'block-index' });

test('an index that is only stored otherwise says the same', () => {
  expect(decodeIndex(forged(() => {}))).toMatchObject({ rows: 3, traces: 3, eventRows: 3 });
});

test.each([
  ['rows', 0, 4],
  ['event rows', 2, 4],
])('an index whose row groups do not hold all %s is a data error', (_, at, value) => {
  expect(() => decodeIndex(forged((front) => front.fill(value, at, at + 1)))).toThrow(damaged);
});

test('rows without a value of a column that every row has are a data error', () => {
  const builder = new ColumnBuilder(0);
  const entries = { bytes: Uint8Array.of(1, 2), width: 1, offsets: undefined };
  builder.append({ codes: Int32Array.of(1, -1), entries, entryCount: 2, dictionary: true }, 0);
  expect([...builder.dense(2).codes]).toEqual([0, -1]);
  expect(() => builder.dense(2, true)).toThrow(expect.objectContaining({ kind: 'data', code: 'block-row' }));
});

test.each([
  ['more spans than its row group', [2, 2]],
  ['no spans', [1, 0]],
  ['2^49 spans', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
])('a trace list that gives a trace %s is a data error', (_, counts) => {
  const traceId = new Uint8Array(16).fill(9);
  const ids =
    counts.length === 2 ? [...Array<number>(8).fill(1), ...Array<number>(8).fill(9)] : Array<number>(8).fill(9);
  const list = { count: ids.length / 8, padded: 0, ids: Uint8Array.from(ids), counts: Uint8Array.from(counts) };
  const plan = () => planTrace(decodeIndex(index), { group: 0, ownGroups: 0 }, list, traceId);
  expect(plan).toThrow(damaged);
});

// ENCODINGS of the directory: plain, delta, dictionary, split.
test.each([
  ['deltas of doubles', DOUBLE, 1],
  ['deltas of texts', BYTE_ARRAY, 1],
  ['deltas of booleans', BOOLEAN, 1],
  ['texts split byte by byte', BYTE_ARRAY, 3],
  ['booleans split byte by byte', BOOLEAN, 3],
] as const)('%s are a data error', (_, type, encoding) => {
  const columns = [{ schema: { name: 'a', type, optional: false } }];
  // Flags, rows a page, and a page: values, bytes of its header and of its body, checksum.
  const entry = (code: number) => new ByteReader(Uint8Array.of(code << 2, 1, 1, 0, 4, 0, 0, 0, 0));
  expect(readChunkEntries(entry(0), columns, 1, 4)).toMatchObject([{ encoding: PLAIN, rows: 1 }]);
  const refused = expect.objectContaining({ kind: 'data', code: 'block-directory' });
  expect(() => readChunkEntries(entry(encoding), columns, 1, 4)).toThrow(refused);
});
