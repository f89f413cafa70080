import { assert, freeMemory, VivaceError } from '@vivace/kernel';
import { BlockEncoder } from '../block-encoder.ts';
import { shapeBlock } from '../block-shape.ts';
import { createPresizedFilter, presizedFilterBytes } from '../filter.ts';
import {
  DEFAULT_PAGE_ROWS,
  DEFAULT_ROW_GROUP_ROWS,
  MAX_ATTRIBUTE_CHUNKS,
  MAX_BLOCK_ROWS,
  SECTION_NAMES,
  type SectionName,
} from '../layout.ts';
import { findRemote, linkParents } from '../parent-links.ts';
import { Buffers } from './buffers.ts';
import { dropResends } from './drop-resends.ts';
import { gatherSet } from './gather-set.ts';
import type { InputBlock } from './input-block.ts';
import type { MergedBlock, MergeOptions, MergeResult } from './merge-options.ts';
import { type OpenInputs, openInputs, releaseInputs } from './open-inputs.ts';
import { orderRows, tracesOf } from './order-rows.ts';
import { type MergedColumns, planColumns, storedAttributes } from './plan-columns.ts';
import { promoteColumns } from './promote.ts';
import { readKeys, setKeys } from './row-keys.ts';
import { freeWindows, loadRows, loadSegment, type Segment } from './segment.ts';
import { TraceRun } from './trace-run.ts';
import { TraceStream } from './trace-stream.ts';

/** A row group of spans of more bytes before compression has fewer of them: it is in memory as a whole. */
const MAX_RAW_GROUP_BYTES = 32 * 1024 * 1024;

/**
 * Where only some of the traces belong to an output, those between them are in memory with them: a row group is of what
 * is found in so many bytes of the inputs, however few spans that is.
 */
const MAX_PASSED_BYTES = 8 * 1024 * 1024;

/** Arrays that are larger are not kept for the next row group. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/**
 * Merges blocks into one or several of format version 1 (FORMAT.md): traces that are split over the inputs are joined,
 * and of spans with one identity one stays (`resend.ts`). What the blocks answer is what the inputs answer together.
 *
 * Takes memory for the filter and for a row group of the output, not for blocks; a trace larger than a row group takes
 * some 40 bytes a span more. Rejects with a `data` error that names the block and its section for bytes that are not what
 * was written, and with the errors of reads and of the sink; what the sink was given by then is no block.
 */
export async function mergeBlocks(options: MergeOptions): Promise<MergeResult> {
  const { outputs = 1 } = options;
  assert(options.inputs.length > 0 && outputs > 0, 'a merge has inputs and outputs');
  const opened = await openInputs(options);
  const result: MergeResult = {
    blocks: [],
    inputRows: opened.blocks.reduce((sum, { index }) => sum + index.rows, 0),
    resends: 0,
    droppedRows: 0,
  };
  for (let output = 0; output < outputs; output++) await new OutputMerge(options, opened, output, result).run();
  return result;
}

/** One pass: the traces of one output. */
class OutputMerge {
  readonly #options: MergeOptions;
  readonly #opened: OpenInputs;
  readonly #inputs: readonly InputBlock[];
  readonly #output: number;
  readonly #result: MergeResult;
  readonly #rowGroupRows: number;
  readonly #maxRows: number;
  readonly #seed: number;
  readonly #spans: MergedColumns;
  readonly #events: MergedColumns;
  /** Row groups that a block may have with the columns of the plan. */
  readonly #maxGroups: number;
  readonly #buffers = new Buffers();
  readonly #passing = new Buffers();
  #writer: BlockWriter | undefined;

  constructor(options: MergeOptions, opened: OpenInputs, output: number, result: MergeResult) {
    const { rowGroupRows = DEFAULT_ROW_GROUP_ROWS, maxRows = MAX_BLOCK_ROWS, seed = 0 } = options;
    this.#options = options;
    const { blocks: inputs } = opened;
    this.#opened = opened;
    this.#inputs = inputs;
    this.#output = output;
    this.#result = result;
    this.#rowGroupRows = rowGroupRows;
    this.#maxRows = Math.min(maxRows, MAX_BLOCK_ROWS);
    this.#seed = seed;
    // Groups end before a trace that does not fit, so there are some more than rows need.
    const rowGroups = Math.ceil((1.1 * Math.min(result.inputRows, this.#maxRows)) / rowGroupRows) + 1;
    this.#spans = planColumns(inputs, 'spans', rowGroups);
    this.#events = planColumns(inputs, 'events', rowGroups);
    const columns = Math.max(1, this.#spans.plan.columns.length, this.#events.plan.columns.length);
    this.#maxGroups = Math.floor(MAX_ATTRIBUTE_CHUNKS / columns);
  }

  async run(): Promise<void> {
    const traces = await TraceStream.open(this.#inputs);
    const next = new TraceRun();
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const bytes = await this.#nextTraces(traces, next);
      if (next.traceCount === 0) break;
      await this.#merge(await loadSegment(this.#inputs, next, this.#groupRows(next.rows, bytes)));
    }
    releaseInputs(this.#opened);
    this.#buffers.trim(0);
    this.#passing.trim(0);
    await this.#finishBlock();
  }

  /** Traces of a row group, or one that is larger; returns about what their spans take before compression. */
  async #nextTraces(stream: TraceStream, into: TraceRun): Promise<number> {
    const { route } = this.#options;
    into.clear();
    let bytes = 0;
    let passedBytes = 0;
    let { groupsRead } = stream;
    for (let { id } = stream; id !== undefined; id = stream.id) {
      const output = route === undefined ? 0 : route(id, stream.number);
      if (output === this.#output) {
        const fits = into.rows + stream.spans <= this.#rowGroupRows && bytes + stream.bytes <= MAX_RAW_GROUP_BYTES;
        if (into.rows > 0 && !fits) return bytes;
        bytes += stream.bytes;
        passedBytes += stream.storedBytes;
        await stream.take(into);
        continue;
      }
      if (output < 0 && this.#output === 0) this.#result.droppedRows += stream.spans;
      passedBytes += stream.storedBytes;
      await stream.take();
      if (into.rows > 0) {
        if (passedBytes > MAX_PASSED_BYTES) return bytes;
        continue;
      }
      passedBytes = 0;
      if (stream.groupsRead > groupsRead) stream.leave();
      ({ groupsRead } = stream);
    }
    return bytes;
  }

  /** Rows of a row group, of spans that are so large. */
  #groupRows(rows: number, bytes: number): number {
    return Math.max(1, Math.min(this.#rowGroupRows, Math.floor((rows * MAX_RAW_GROUP_BYTES) / bytes)));
  }

  async #merge(segment: Segment): Promise<void> {
    const seed = this.#seed;
    const buffers = this.#buffers;
    const { groupRows } = segment;
    if (segment.isLarge) {
      // What comes after a large trace was read to find its end, and is read again.
      releaseInputs(this.#opened);
      buffers.trim(0);
      this.#passing.trim(0);
    }
    const places = { buffers, passing: this.#passing };
    const keys = await readKeys(segment, places);
    const columns = storedAttributes(this.#spans, this.#events);
    const ordered = orderRows(segment, keys, buffers);
    const { order, traceFirst } = await dropResends(segment, keys, ordered, { columns, buffers, seed });
    this.#result.resends += segment.rows - order.length;
    const { traces } = segment;
    const { traceCount } = traces;
    const shape = { set: keys, order, traceCount, traceFirst };
    const delta = linkParents(shape, seed, buffers.int32('parents', order.length));
    const ofSets = setKeys(segment, keys, places);
    const traceIds = traces.ids.subarray(0, 16 * traceCount);
    const writer = await this.#blockFor(order.length, Math.ceil(order.length / groupRows));
    for (let from = 0; from < order.length; from += groupRows) {
      const to = Math.min(order.length, from + groupRows);
      const windows = await loadRows(segment, order, from, to);
      const trace = tracesOf(traceFirst, from, to);
      const gathered = gatherSet({ windows, keys: ofSets, order, from, to, traceIds, trace }, columns, buffers, seed);
      const set = promoteColumns(gathered, { spans: this.#spans.promoted, events: this.#events.promoted }, seed);
      const groups = shapeBlock(set, ownRows(buffers, to - from), to - from);
      const parents = findRemote({ set, order: groups.order, delta: delta.subarray(from, to) });
      writer.encoder.add(groups, parents, from > 0);
      freeMemory(parents.remote, trace, groups.spans.position);
      freeWindows(windows);
      await writer.drain();
    }
    buffers.trim(MAX_KEPT_BYTES);
    this.#passing.trim(MAX_KEPT_BYTES);
    for (const { input, group, to } of segment.windows) input.release(group, to);
  }

  /** The block that so many more rows go to. */
  async #blockFor(rows: number, groups: number): Promise<BlockWriter> {
    if (rows > MAX_BLOCK_ROWS) {
      throw new VivaceError('limited', 'merge-trace', `a trace of ${rows} spans is larger than a block can be`);
    }
    const open = this.#writer;
    if (open !== undefined && (open.encoder.rows + rows > this.#maxRows || open.groups + groups > this.#maxGroups)) {
      await this.#finishBlock();
    }
    this.#writer ??= new BlockWriter(this.#options, this.#inputs, {
      block: this.#result.blocks.length,
      output: this.#output,
      spans: this.#spans,
      events: this.#events,
    });
    this.#writer.groups += groups;
    return this.#writer;
  }

  async #finishBlock(): Promise<void> {
    if (this.#writer === undefined) return;
    this.#result.blocks.push(await this.#writer.finish());
    this.#writer = undefined;
  }
}

/** A block being written. */
class BlockWriter {
  /** Row groups so far. */
  groups = 0;
  readonly encoder: BlockEncoder;
  readonly #options: MergeOptions;
  readonly #block: number;
  readonly #output: number;
  readonly #lengths: Record<SectionName, number>;
  #waiting: { section: SectionName; bytes: Uint8Array }[] = [];

  constructor(
    options: MergeOptions,
    inputs: readonly InputBlock[],
    of: { block: number; output: number; spans: MergedColumns; events: MergedColumns },
  ) {
    this.#options = options;
    this.#block = of.block;
    this.#output = of.output;
    this.#lengths = Object.fromEntries(SECTION_NAMES.map((name) => [name, 0])) as Record<SectionName, number>;
    this.encoder = new BlockEncoder({
      spans: of.spans.plan,
      events: of.events.plan,
      keepEmpty: true,
      pageRows: options.pageRows ?? DEFAULT_PAGE_ROWS,
      seed: options.seed ?? 0,
      filter: createPresizedFilter(presizedFilterBytes(inputs.map(({ filterBytes }) => filterBytes))),
      emit: (section, bytes) => this.#waiting.push({ section, bytes }),
    });
  }

  /** Hands what was encoded to the sink. */
  async drain(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { section, bytes } of waiting) {
      this.#lengths[section] += bytes.length;
      await this.#options.sink(this.#block, section, bytes);
    }
  }

  async finish(): Promise<MergedBlock> {
    const content = this.encoder.finish();
    await this.drain();
    return { ...content, block: this.#block, output: this.#output, lengths: this.#lengths };
  }
}

/** 0, 1, 2 … */
function ownRows(buffers: Buffers, count: number): Int32Array {
  const rows = buffers.int32('own rows', count).subarray(0, count);
  for (let row = 0; row < count; row++) rows[row] = row;
  return rows;
}
