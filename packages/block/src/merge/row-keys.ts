import { dataError } from '@vivace/kernel';
import type { TableColumnLayout } from '../block-index.ts';
import { NO_PARENT } from '../parent-links.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { decodeFixed, decodeHalves, decodeIntegers, type LoadedChunk } from '../parquet/whole-chunk.ts';
import { completeParents } from '../row-times.ts';
import type { Buffers } from './buffers.ts';
import { damageOf, freeGroup, type InputBlock, type LoadedGroup } from './input-block.ts';
import type { Segment, Window } from './segment.ts';

/** What the rows of a segment are ordered, told apart and linked by; positions as in `Segment`. Arrays may be longer. */
export interface RowKeys {
  /** 64-bit numbers as halves: low at 2p, high at 2p + 1. */
  start: Uint32Array;
  /** Ids as two words a row. */
  spanId: Int32Array;
  parentId: Int32Array;
  kind: Uint8Array;
}

const KEY_COLUMNS = ['start', 'span_id', 'kind', 'parent', 'parent_id'];

/** Reads the keys of all rows of a segment; what was loaded for it stays with the windows where it fits one row group. */
export async function readKeys({ windows, rows, isLarge }: Segment, buffers: Buffers): Promise<RowKeys> {
  const start = buffers.uint32('start', 2 * rows);
  const spanId = buffers.int32('spanId', 2 * rows);
  const parentId = buffers.int32('parentId', 2 * rows);
  const kind = buffers.uint8('kind', rows);
  parentId.fill(0, 0, 2 * rows);
  for (const { first, end, own } of windowsOfInputs(windows)) {
    // Parents are rows of the same input: of others nothing has to be kept.
    const delta = buffers.int32('delta', end - first);
    delta.fill(NO_PARENT, 0, end - first);
    for (const window of own) {
      const { input, group, from, to, base } = window;
      const range = { from, to };
      const columns = KEY_COLUMNS.map((name) => input.column('spans', name));
      const spans = isLarge ? await input.load('spans', group, { ...range, columns }, false) : window.spans;
      const chunk = (name: string): LoadedChunk => chunkOf(input, spans, name);
      reading(window, () => {
        decodeHalves(chunk('start'), start, base, range);
        decodeFixed(chunk('span_id'), 8, bytesOf(spanId), base, range);
        const kinds = buffers.int32('kinds', to - from);
        decodeIntegers(chunk('kind'), kinds, 0, { range, limit: 256 });
        for (let row = 0; row < to - from; row++) kind[base + row] = kinds[row] as number;
        const parent = optionalChunk(input, spans, 'parent_id');
        if (parent !== undefined) decodeFixed(parent, 8, bytesOf(parentId), base, range);
        const deltas = optionalChunk(input, spans, 'parent');
        if (deltas !== undefined) decodeIntegers(deltas, delta, base - first, { range });
      });
      if (isLarge && !spans.kept) freeGroup(spans);
    }
    const part = (array: Int32Array): Int32Array => array.subarray(2 * first, 2 * end);
    reading(own[0] as Window, () => completeParents(part(parentId), delta, part(spanId), end - first));
  }
  return { start, spanId, parentId, kind };
}

function reading({ input }: Window, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw damageOf(error, input.id, 'spans');
  }
}

function chunkOf(input: InputBlock, group: LoadedGroup, name: string): LoadedChunk {
  const chunk = optionalChunk(input, group, name);
  if (chunk === undefined) throw dataError('block-row', `rows have no ${name}, which every row has`);
  return chunk;
}

/** Undefined where no row has a value. */
function optionalChunk(input: InputBlock, { columns, chunks, bytes, cache }: LoadedGroup, name: string) {
  const number = input.column('spans', name);
  const layout = chunks[number] as ChunkLayout;
  if (layout.pages.length === 0) return undefined;
  return { schema: (columns[number] as TableColumnLayout).schema, layout, group: bytes, cache };
}

/** Windows by input, with the positions of their rows, which lie side by side: traces are whole in them. */
function windowsOfInputs(windows: readonly Window[]) {
  const inputs: { own: Window[]; first: number; end: number }[] = [];
  for (const window of windows) {
    const { base, from, to } = window;
    const last = inputs.at(-1);
    if (last?.own[0]?.input === window.input) {
      last.own.push(window);
      last.end = base + to - from;
    } else inputs.push({ own: [window], first: base, end: base + to - from });
  }
  return inputs;
}

function bytesOf(words: Int32Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(words.buffer);
}
