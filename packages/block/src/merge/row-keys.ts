import { dataError } from '@vivace/kernel';
import type { TableColumnLayout } from '../block-index.ts';
import { NO_PARENT } from '../parent-links.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { type ChunkRows, decodeFixed, decodeHalves, decodeIntegers, type LoadedChunk } from '../parquet/whole-chunk.ts';
import { completeParents } from '../row-times.ts';
import type { Buffers } from './buffers.ts';
import { damageOf, freeGroup, type InputBlock, type LoadedGroup } from './input-block.ts';
import { type Segment, type Window, windowsByGroup } from './segment.ts';

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

/** What a set of rows is made with. Times and ids of a large segment are read again: all of them at once take too much. */
export type SetKeys = Pick<RowKeys, 'parentId' | 'kind'> & Partial<RowKeys>;

/** Where the keys of a segment are. */
export interface KeyBuffers {
  buffers: Buffers;
  /** Of times and ids, which large segments let go of as soon as they are in order. */
  passing: Buffers;
}

/** Reads the keys of all rows of a segment; what was loaded for it stays with the windows where it fits one row group. */
export async function readKeys(
  { windows, rows, isLarge }: Segment,
  { buffers, passing }: KeyBuffers,
): Promise<RowKeys> {
  const start = passing.uint32('start', 2 * rows);
  const spanId = passing.int32('spanId', 2 * rows);
  const parentId = buffers.int32('parentId', 2 * rows);
  const kind = buffers.uint8('kind', rows);
  parentId.fill(0, 0, 2 * rows);
  for (const { first, end, own } of windowsOfInputs(windows)) {
    // Parents are rows of the same input: of others nothing has to be kept.
    const delta = buffers.int32('delta', end - first);
    delta.fill(NO_PARENT, 0, end - first);
    for (const ofGroup of windowsByGroup(own)) {
      const { input, group, from, spans: loaded } = ofGroup[0] as Window;
      const range = { from, to: (ofGroup.at(-1) as Window).to };
      const columns = KEY_COLUMNS.map((name) => input.column('spans', name));
      const spans = isLarge ? await input.load('spans', group, { ...range, columns }, false) : loaded;
      reading(ofGroup[0] as Window, () => {
        const place = new KeyPlace(ofGroup, range, buffers);
        place.halves(chunkOf(input, spans, 'start'), start);
        place.ids(chunkOf(input, spans, 'span_id'), spanId);
        place.integers(chunkOf(input, spans, 'kind'), kind, 0, 256);
        place.ids(optionalChunk(input, spans, 'parent_id'), parentId);
        place.integers(optionalChunk(input, spans, 'parent'), delta, first);
      });
      if (isLarge && !spans.kept) freeGroup(spans);
    }
    const part = (array: Int32Array): Int32Array => array.subarray(2 * first, 2 * end);
    reading(own[0] as Window, () => completeParents(part(parentId), delta, part(spanId), end - first));
  }
  return { start, spanId, parentId, kind };
}

/** What sets are made with, once rows are in order and linked. */
export function setKeys({ isLarge }: Segment, keys: RowKeys, { passing }: KeyBuffers): SetKeys {
  if (!isLarge) return keys;
  passing.trim(0);
  return { parentId: keys.parentId, kind: keys.kind };
}

/** Where the rows of a row group go: a column is decoded once, however many windows there are. */
class KeyPlace {
  readonly #windows: readonly Window[];
  readonly #range: ChunkRows;
  readonly #buffers: Buffers;

  constructor(windows: readonly Window[], range: ChunkRows, buffers: Buffers) {
    this.#windows = windows;
    this.#range = range;
    this.#buffers = buffers;
  }

  halves(chunk: LoadedChunk, into: Uint32Array<ArrayBuffer>): void {
    if (this.#isOne) return decodeHalves(chunk, into, this.#base, this.#range);
    const all = this.#buffers.uint32('key halves', 2 * this.#rows);
    decodeHalves(chunk, all, 0, this.#range);
    this.#spread(all, into, 2);
  }

  /** Two words a row, as they were where it has none. */
  ids(chunk: LoadedChunk | undefined, into: Int32Array<ArrayBuffer>): void {
    if (chunk === undefined) return;
    if (this.#isOne) return decodeFixed(chunk, 8, bytesOf(into), this.#base, this.#range);
    const all = this.#buffers.int32('key ids', 2 * this.#rows);
    all.fill(0, 0, 2 * this.#rows);
    decodeFixed(chunk, 8, bytesOf(all), 0, this.#range);
    this.#spread(all, into, 2);
  }

  /** The position `first` is element 0. Where there is no value, there is no parent. */
  integers(chunk: LoadedChunk | undefined, into: Int32Array | Uint8Array, first: number, limit?: number): void {
    if (chunk === undefined) return;
    const options = limit === undefined ? { range: this.#range } : { range: this.#range, limit };
    if (this.#isOne && into instanceof Int32Array) return decodeIntegers(chunk, into, this.#base - first, options);
    const all = this.#buffers.int32('key integers', this.#rows);
    if (into instanceof Int32Array) all.fill(NO_PARENT, 0, this.#rows);
    decodeIntegers(chunk, all, 0, options);
    this.#spread(all, into, 1, first);
  }

  get #isOne(): boolean {
    return this.#windows.length === 1;
  }

  get #base(): number {
    return (this.#windows[0] as Window).base;
  }

  get #rows(): number {
    return this.#range.to - this.#range.from;
  }

  #spread(all: Int32Array | Uint32Array, into: Int32Array | Uint32Array | Uint8Array, words: number, first = 0): void {
    for (const { from, to, base } of this.#windows) {
      const end = words * (to - this.#range.from);
      let at = words * (base - first);
      for (let i = words * (from - this.#range.from); i < end; i++) into[at++] = all[i] as number;
    }
  }
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
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
