import { compareBytes, dataError, equalBytes } from '@vivace/kernel';
import type { TableGroup } from '../block-index.ts';
import { damageOf, type GroupTraces, type InputBlock } from './input-block.ts';
import type { TraceRun } from './trace-run.ts';

/** The traces of several blocks in the order of their ids, each once. */
export class TraceStream {
  /** How many traces came before the next: the same for the same inputs, whoever goes through them. */
  number = 0;
  readonly #cursors: readonly TraceCursor[];
  /** Cursors at the next trace, by number. */
  #next: TraceCursor[] = [];

  private constructor(cursors: readonly TraceCursor[]) {
    this.#cursors = cursors;
  }

  static async open(inputs: readonly InputBlock[]): Promise<TraceStream> {
    const stream = new TraceStream(inputs.map((input, number) => new TraceCursor(input, number)));
    for (const cursor of stream.#cursors) await cursor.open();
    stream.#choose();
    return stream;
  }

  /** Id of the next trace, good until the stream moves; undefined at the end. */
  get id(): Uint8Array | undefined {
    return this.#next[0]?.id;
  }

  /** Spans of the next trace. */
  get spans(): number {
    let spans = 0;
    for (const cursor of this.#next) spans += cursor.spans;
    return spans;
  }

  /** About what the spans of the next trace take before compression. */
  get bytes(): number {
    let bytes = 0;
    for (const cursor of this.#next) bytes += cursor.spans * cursor.spanBytes;
    return bytes;
  }

  /** About what they take as they are stored, with their events. */
  get storedBytes(): number {
    let bytes = 0;
    for (const cursor of this.#next) bytes += cursor.spans * cursor.storedSpanBytes;
    return bytes;
  }

  /** Row groups that were read so far. */
  get groupsRead(): number {
    let groups = 0;
    for (const cursor of this.#cursors) groups += cursor.groupsRead;
    return groups;
  }

  /** Lets go of the rows before the next trace. */
  leave(): void {
    for (const cursor of this.#cursors) cursor.leave();
  }

  /** Moves to the trace after the next, which `into` takes where it is given. */
  async take(into?: TraceRun): Promise<void> {
    const [first] = this.#next;
    if (first === undefined) return;
    into?.open(first.id);
    for (const cursor of this.#next) {
      into?.add(cursor.number, cursor.row, cursor.group, cursor.spans);
      // Not awaited where it needs not be: there is a trace for every dozen spans.
      if (!cursor.step()) await cursor.read();
    }
    this.number++;
    this.#choose();
  }

  #choose(): void {
    const next = this.#next;
    next.length = 0;
    for (const cursor of this.#cursors) {
      if (cursor.ended) continue;
      const [first] = next;
      const difference = first === undefined ? 0 : compareBytes(cursor.id, first.id);
      if (difference < 0) next.length = 0;
      if (difference <= 0) next.push(cursor);
    }
  }
}

/** The traces of one block, of which it is at one. */
class TraceCursor {
  readonly number: number;
  ended = false;
  /** Of the trace: its id, its first row in the block, the row group of that, and its spans. */
  id: Uint8Array = new Uint8Array(16);
  row = 0;
  group = 0;
  spans = 0;
  readonly #input: InputBlock;
  /** Row group that is being read, its traces, and the position of the next. */
  #at = -1;
  #traces: GroupTraces = {
    count: 0,
    ids: new Uint8Array(0),
    spans: new Int32Array(0),
    spanBytes: 0,
    storedSpanBytes: 0,
  };
  #position = 0;
  #nextRow = 0;

  constructor(input: InputBlock, number: number) {
    this.#input = input;
    this.number = number;
  }

  get spanBytes(): number {
    return this.#traces.spanBytes;
  }

  get storedSpanBytes(): number {
    return this.#traces.storedSpanBytes;
  }

  get groupsRead(): number {
    return this.#at + 1;
  }

  leave(): void {
    if (this.ended) return this.#input.release(Number.POSITIVE_INFINITY);
    const { firstRow } = this.#input.index.spans.groups[this.group] as TableGroup;
    this.#input.release(this.group, this.row - firstRow);
  }

  async open(): Promise<void> {
    await this.#readGroup();
    if (!this.step()) await this.read();
  }

  /** Moves to the next trace, where it is whole in what was read. */
  step(): boolean {
    const position = this.#position;
    // The last trace of a row group may go on in the next one.
    if (position + 1 >= this.#traces.count) return false;
    this.#moveTo(position);
    this.spans = this.#consume();
    return true;
  }

  /** The same, reading the next row groups. */
  async read(): Promise<void> {
    while (this.#position === this.#traces.count) {
      if (!(await this.#readGroup())) {
        this.ended = true;
        return;
      }
    }
    this.#moveTo(this.#position);
    this.spans = this.#consume();
    if (this.#position < this.#traces.count) return;
    // A trace larger than a row group owns whole ones.
    for (; this.#goesOn(); this.#at++) {
      const { rows } = this.#input.index.spans.groups[this.#at + 1] as TableGroup;
      this.spans += rows;
      this.#nextRow += rows;
    }
  }

  #moveTo(position: number): void {
    const id = this.#traces.ids.subarray(16 * position, 16 * position + 16);
    if (this.#nextRow > 0 && compareBytes(this.id, id) >= 0) {
      const error = dataError('block-index', 'the traces of a block are not in order');
      throw damageOf(error, this.#input.id, 'spans');
    }
    this.id = id;
    this.row = this.#nextRow;
    this.group = this.#at;
  }

  #consume(): number {
    const spans = this.#traces.spans[this.#position++] as number;
    this.#nextRow += spans;
    return spans;
  }

  /** Whether the trace is in the next row group, too. */
  #goesOn(): boolean {
    const next = this.#input.index.traceGroups[this.#at + 1];
    return next !== undefined && equalBytes(next.firstTraceId, this.id);
  }

  async #readGroup(): Promise<boolean> {
    const { groups } = this.#input.index.spans;
    if (this.#at + 1 === groups.length) return false;
    this.#at++;
    this.#traces = await this.#input.traces(this.#at);
    this.#position = 0;
    this.#nextRow = (groups[this.#at] as TableGroup).firstRow;
    return true;
  }
}
