import { compareBytes, dataError } from '@vivace/kernel';
import type { TableGroup } from '../block-index.ts';
import { damageOf, type GroupTraces, type InputBlock } from './input-block.ts';

/** The spans of a trace in one input: rows `row … row + spans - 1` of the block, which begin in row group `group`. */
export interface TracePart {
  input: number;
  row: number;
  spans: number;
  group: number;
}

/** A trace, with its parts in the order of the inputs. */
export interface MergedTrace {
  /** 16 bytes. */
  id: Uint8Array;
  parts: TracePart[];
  spans: number;
}

/** The traces of several blocks in the order of their ids, each once. */
export class TraceStream {
  readonly #cursors: TraceCursor[];
  #next: MergedTrace | undefined;

  private constructor(cursors: TraceCursor[]) {
    this.#cursors = cursors;
  }

  static async open(inputs: readonly InputBlock[]): Promise<TraceStream> {
    const stream = new TraceStream(inputs.map((input, number) => new TraceCursor(input, number)));
    for (const cursor of stream.#cursors) await cursor.advance();
    return stream;
  }

  /** The next trace, which stays the next until `take`. */
  async peek(): Promise<MergedTrace | undefined> {
    this.#next ??= await this.#join();
    return this.#next;
  }

  take(): void {
    this.#next = undefined;
  }

  async #join(): Promise<MergedTrace | undefined> {
    let first: TraceCursor | undefined;
    for (const cursor of this.#cursors) {
      if (cursor.part === undefined) continue;
      if (first === undefined || compareBytes(cursor.id, first.id) < 0) first = cursor;
    }
    if (first === undefined) return undefined;
    const { id } = first;
    const trace: MergedTrace = { id, parts: [], spans: 0 };
    for (const cursor of this.#cursors) {
      if (cursor.part === undefined || compareBytes(cursor.id, id) !== 0) continue;
      trace.parts.push(cursor.part);
      trace.spans += cursor.part.spans;
      await cursor.advance();
    }
    return trace;
  }
}

/** The traces of one block. */
class TraceCursor {
  /** Where it is; undefined at the end. */
  part: TracePart | undefined;
  id: Uint8Array = new Uint8Array(16);
  readonly #input: InputBlock;
  readonly #number: number;
  #group = -1;
  #traces: GroupTraces = { count: 0, ids: new Uint8Array(0), spans: new Int32Array(0) };
  #position = 0;
  #row = 0;

  constructor(input: InputBlock, number: number) {
    this.#input = input;
    this.#number = number;
  }

  async advance(): Promise<void> {
    const before = this.part === undefined ? undefined : this.id;
    if (!(await this.#step())) {
      this.part = undefined;
      return;
    }
    const group = this.#group;
    const row = this.#row;
    this.id = this.#idHere();
    if (before !== undefined && compareBytes(before, this.id) >= 0) {
      const error = dataError('block-index', 'the traces of a block are not in order');
      throw damageOf(error, this.#input.id, 'spans');
    }
    let spans = this.#consume();
    // A trace larger than a row group goes on in the next.
    while (this.#position === this.#traces.count && (await this.#goesOn())) spans += this.#consume();
    this.part = { input: this.#number, row, spans, group };
  }

  /** Whether the trace that was consumed last is in the next row group, too; moves there. */
  async #goesOn(): Promise<boolean> {
    const { traceGroups } = this.#input.index;
    const next = traceGroups[this.#group + 1];
    if (next === undefined || compareBytes(next.firstTraceId, this.id) !== 0) return false;
    return this.#step();
  }

  /** Makes sure that there is a trace here, from the next row group if need be. */
  async #step(): Promise<boolean> {
    while (this.#position === this.#traces.count) {
      if (this.#group + 1 === this.#input.index.spans.groups.length) return false;
      this.#group++;
      this.#traces = await this.#input.traces(this.#group);
      this.#row = (this.#input.index.spans.groups[this.#group] as TableGroup).firstRow;
      this.#position = 0;
    }
    return true;
  }

  #idHere(): Uint8Array {
    return this.#traces.ids.slice(16 * this.#position, 16 * this.#position + 16);
  }

  #consume(): number {
    const spans = this.#traces.spans[this.#position++] as number;
    this.#row += spans;
    return spans;
  }
}
