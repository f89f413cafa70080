import { dataError, isKind, VivaceError } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { type BlockIndex, groupChunks, type TableColumnLayout, type TableGroup } from '../block-index.ts';
import { ByteReader } from '../byte-reader.ts';
import { createBlockCache } from '../cache.ts';
import type { SectionName } from '../layout.ts';
import { type BlockReader, openBlock } from '../open-block.ts';
import { type ChunkCache, type GroupBytes, readDictionary } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import type { Owners } from '../read-rows.ts';
import type { ValueSummary } from '../value-summary.ts';
import type { MergeInput } from './merge-options.ts';

/** Traces of one row group of spans. */
export interface GroupTraces {
  count: number;
  /** 16 bytes a trace, ascending. */
  ids: Uint8Array;
  /** Spans of each in the group. */
  spans: Int32Array;
}

export type MergedTable = 'spans' | 'events';

/** A row group that is in memory. */
export interface LoadedGroup {
  columns: readonly TableColumnLayout[];
  /** None where the group has no rows. */
  chunks: readonly ChunkLayout[];
  bytes: GroupBytes;
}

/** Every page is read once or twice, one soon after the other. */
export const NO_CACHE: ChunkCache = {
  dictionary: () => undefined,
  putDictionary: () => {},
  page: () => undefined,
  reservePage: () => undefined,
  forgetPage: () => {},
};

/** What an index takes in memory is not counted here: it is what the plan of the merge is made from. */
const INDEX_CACHE_BYTES = 1 << 26;

/** A block being merged, of which the row groups that the merge is at are in memory. */
export class InputBlock {
  readonly id: string;
  readonly index: BlockIndex;
  readonly summary: ValueSummary;
  readonly owners: Owners;
  readonly #input: MergeInput;
  readonly #reader: BlockReader;
  readonly #signal: AbortSignal | undefined;
  readonly #columns: Record<MergedTable, Map<string, number>>;
  readonly #loaded: Record<MergedTable, Map<number, LoadedGroup>> = { spans: new Map(), events: new Map() };

  private constructor(
    input: MergeInput,
    reader: BlockReader,
    read: { index: BlockIndex; summary: ValueSummary; owners: Owners },
    signal: AbortSignal | undefined,
  ) {
    this.id = input.place.id;
    this.#input = input;
    this.#reader = reader;
    this.#signal = signal;
    this.index = read.index;
    this.summary = read.summary;
    this.owners = read.owners;
    this.#columns = { spans: columnNumbers(read.index.spans), events: columnNumbers(read.index.events) };
  }

  static async open(input: MergeInput, seed: number, signal: AbortSignal | undefined): Promise<InputBlock> {
    const cache = createBlockCache({ maxBytes: INDEX_CACHE_BYTES });
    const reader = openBlock({ ...input, cache, seed });
    const options = signal === undefined ? {} : { signal };
    const { id } = input.place;
    const index = await blaming(id, 'index', () => reader.index(options));
    const summary = await blaming(id, 'index', () => reader.readSummary(options));
    const owners = await blaming(id, 'resources', () => reader.readOwners(options));
    return new InputBlock(input, reader, { index, summary, owners }, signal);
  }

  get filterBytes(): number {
    return this.#input.place.sections.filter.length;
  }

  /** Number of a column of a table, by `columnId`; -1 where there is none. */
  column(table: MergedTable, id: string): number {
    return this.#columns[table].get(id) ?? -1;
  }

  /** The traces of a row group of spans. */
  async traces(group: number): Promise<GroupTraces> {
    const { chunks, bytes } = await this.load('spans', group);
    return blaming(this.id, 'index', async () => {
      const list = await this.#reader.readTraceList(group, this.#signal === undefined ? {} : { signal: this.#signal });
      const number = this.column('spans', 'trace_id');
      const { schema } = this.index.spans.columns[number] as TableColumnLayout;
      const dictionary = readDictionary(schema, chunks[number] as ChunkLayout, bytes, NO_CACHE);
      if (dictionary.count !== list.count) throw wrongTraces();
      const counts = new ByteReader(list.counts);
      const spans = new Int32Array(list.count);
      let rows = 0;
      for (let trace = 0; trace < list.count; trace++) {
        const count = counts.varint();
        if (count === 0) throw wrongTraces();
        spans[trace] = count;
        rows += count;
      }
      if (rows !== (this.index.spans.groups[group] as TableGroup).rows) throw wrongTraces();
      return { count: list.count, ids: dictionary.bytes, spans };
    });
  }

  /** A row group, from memory or read. */
  async load(table: MergedTable, group: number): Promise<LoadedGroup> {
    const loaded = this.#loaded[table];
    const known = loaded.get(group);
    if (known !== undefined) return known;
    const layout = this.index[table];
    const { offset, length } = layout.groups[group] as TableGroup;
    const bytes = length === 0 ? new Uint8Array(0) : await this.#read(table, offset, length);
    const made = await blaming(this.id, 'index', async () => ({
      columns: layout.columns,
      chunks: length === 0 ? [] : groupChunks(layout, group),
      bytes: { bytes, base: 0, verified: new Set<number>() },
    }));
    loaded.set(group, made);
    return made;
  }

  /** Lets go of row groups before this one. */
  release(group: number): void {
    for (const loaded of [this.#loaded.spans, this.#loaded.events]) {
      for (const number of loaded.keys()) if (number < group) loaded.delete(number);
    }
  }

  async #read(section: SectionName, offset: number, length: number): Promise<Uint8Array> {
    const { object, offset: start, length: sectionLength } = this.#input.place.sections[section];
    return blaming(this.id, section, async () => {
      if (offset + length > sectionLength) throw dataError('block-truncated', 'the section ends early');
      this.#signal?.throwIfAborted();
      const bytes = await this.#input.readRange(object, start + offset, length, this.#signal);
      if (bytes.length !== length) {
        throw dataError('block-truncated', `a read of ${length} bytes gave ${bytes.length}`);
      }
      return bytes;
    });
  }
}

/** What tells columns apart; names in Parquet may be those of several attributes. */
export function columnId({ key, type }: TableAttribute): string {
  return `${type} ${key}`;
}

function columnNumbers({ columns }: BlockIndex['spans']): Map<string, number> {
  return new Map(
    columns.map(({ schema, attribute }, number) => [attribute ? columnId(attribute) : schema.name, number]),
  );
}

async function blaming<T>(id: string, section: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw damageOf(error, id, section);
  }
}

/** A `data` error that says of which block and section it is; any other error as it is. */
export function damageOf(error: unknown, id: string, section: string): unknown {
  if (!isKind(error, 'data')) return error;
  return new VivaceError('data', error.code, `${section} of block ${id}: ${error.message}`, { cause: error });
}

function wrongTraces(): Error {
  return dataError('block-index', 'the trace list of a block does not fit its row group');
}
