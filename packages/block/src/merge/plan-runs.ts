import type { TableColumnLayout, TableGroup } from '../block-index.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { type ChunkRows, decodeIntegers } from '../parquet/whole-chunk.ts';
import { planEvents } from '../plan-trace.ts';
import type { Piece, Runs } from './gather.ts';
import { damageOf, type InputBlock, type LoadedGroup, NO_CACHE } from './input-block.ts';
import { damaged, type Window, windowOf, windowsByGroup } from './segment.ts';

// Rows that lie side by side in an input and in the output are moved as a run.

/** Where the spans and events of some rows of the output come from. */
export interface RunPlan {
  spans: Piece[];
  events: Piece[];
  eventRows: number;
  /** Event row → row of its span, ascending. */
  eventSpan: Int32Array;
}

/** Rows are picked, and not decoded with those around them, where one in so many is wanted. */
const FEW_ROWS = 16;

/** Runs of few rows, which ascend in their row group as they do in the output. */
function pickedOf({ count, source, target, length }: Runs, from: number, total: number): Piece['picked'] {
  const rows = new Int32Array(total);
  const places = new Int32Array(count);
  let next = 0;
  for (let run = 0; run < count; run++) {
    places[run] = next;
    for (let i = 0; i < (length[run] as number); i++) rows[next++] = from + (source[run] as number) + i;
  }
  return { rows, runs: { count, source: places, target, length } };
}

/** Runs being collected. */
class RunList {
  count = 0;
  #source = new Int32Array(64);
  #target = new Int32Array(64);
  #length = new Int32Array(64);

  add(source: number, target: number, length: number): void {
    if (this.count === this.#source.length) this.#grow();
    this.#source[this.count] = source;
    this.#target[this.count] = target;
    this.#length[this.count++] = length;
  }

  /** The runs of a piece, rows `from … to - 1` of a row group. */
  plan(from: number, to: number): Pick<Piece, 'runs' | 'picked'> {
    const runs = this.runs();
    let rows = 0;
    for (let run = 0; run < runs.count; run++) rows += runs.length[run] as number;
    return rows * FEW_ROWS > to - from ? { runs } : { runs, picked: pickedOf(runs, from, rows) };
  }

  runs(): Runs {
    return { count: this.count, source: this.#source, target: this.#target, length: this.#length };
  }

  #grow(): void {
    const grow = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(2 * array.length);
      grown.set(array);
      return grown;
    };
    this.#source = grow(this.#source);
    this.#target = grow(this.#target);
    this.#length = grow(this.#length);
  }
}

/** Plans rows `from … to - 1` of an order of a segment's positions, all of which lie in the windows. */
export function planRuns(windows: readonly Window[], order: Int32Array, from: number, to: number): RunPlan {
  const groups: GroupRuns[] = [];
  /** Window → its row group. */
  const groupOf: GroupRuns[] = [];
  for (const ofGroup of windowsByGroup(windows)) {
    const group = new GroupRuns(ofGroup);
    groups.push(group);
    for (let i = 0; i < ofGroup.length; i++) groupOf.push(group);
  }
  const eventSpan: number[] = [];
  let number = 0;
  for (let at = from; at < to; ) {
    const position = order[at] as number;
    number = windowOf(windows, position, number);
    const window = windows[number] as Window;
    const last = window.base + window.to - window.from;
    let length = 1;
    while (at + length < to && position + length < last && order[at + length] === position + length) length++;
    const group = groupOf[number] as GroupRuns;
    const source = position - window.base + window.from - group.window.from;
    group.spans.add(source, at - from, length);
    group.events.take(source, length, at - from - source, eventSpan);
    at += length;
  }
  return {
    spans: groups.map(({ window: { input, spans: group, from: first, to: end }, spans }): Piece => {
      return { input, group, from: first, to: end, ...spans.plan(first, end) };
    }),
    events: groups.flatMap(({ events }) => events.piece() ?? []),
    eventRows: eventSpan.length,
    eventSpan: Int32Array.from(eventSpan),
  };
}

/** Rows of the spans of some events. */
function readSpanRows({ input }: Window, { columns, chunks, bytes }: LoadedGroup, range: ChunkRows): Int32Array {
  const number = input.column('events', 'span_row');
  const rows = new Int32Array(range.to - range.from);
  const { schema } = columns[number] as TableColumnLayout;
  const chunk = { schema, layout: chunks[number] as ChunkLayout, group: bytes, cache: NO_CACHE };
  try {
    decodeIntegers(chunk, rows, 0, { range });
  } catch (error) {
    throw damageOf(error, input.id, 'events');
  }
  return rows;
}

/** Runs of the windows of one row group, which is decoded once for all of them. */
class GroupRuns {
  /** From the first to the last of them. */
  readonly window: Window;
  readonly spans = new RunList();
  readonly events: WindowEvents;

  constructor(windows: readonly Window[]) {
    this.window = { ...(windows[0] as Window), to: (windows.at(-1) as Window).to };
    this.events = new WindowEvents(this.window);
  }
}

/** The events of a window's spans. */
class WindowEvents {
  readonly #input: InputBlock;
  readonly #group: LoadedGroup | undefined;
  readonly #from: number = 0;
  readonly #to: number = 0;
  /** Event row of the window → row of its span in the window, ascending. */
  readonly #spans: Int32Array = new Int32Array(0);
  readonly #runs = new RunList();

  constructor(window: Window) {
    const { input, group, from, to, events } = window;
    this.#input = input;
    this.#group = events;
    if (events === undefined) return;
    const range = planEvents(input.index, { group, from, to });
    if (range.to <= range.from) return;
    this.#from = range.from;
    this.#to = range.to;
    const rows = range.to - range.from;
    this.#spans = readSpanRows(window, events, range);
    const first = (input.index.spans.groups[group] as TableGroup).firstRow + from;
    let before = -0x80000000;
    for (let row = 0; row < rows; row++) {
      const span = (this.#spans[row] as number) - first;
      if (span < before) throw damaged(window, 'events', 'events are not in the order of their spans');
      this.#spans[row] = span;
      before = span;
    }
  }

  /** Takes the events of spans `source … source + length - 1`, whose rows in the output are `shift` larger. */
  take(source: number, length: number, shift: number, into: number[]): void {
    const spans = this.#spans;
    if (spans.length === 0) return;
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((spans[middle] as number) < source) low = middle + 1;
      else high = middle;
    }
    let end = low;
    const first = into.length;
    for (; end < spans.length && (spans[end] as number) < source + length; end++) {
      into.push((spans[end] as number) + shift);
    }
    if (end > low) this.#runs.add(low, first, end - low);
  }

  piece(): Piece | undefined {
    if (this.#group === undefined || this.#runs.count === 0) return undefined;
    return { input: this.#input, group: this.#group, from: this.#from, to: this.#to, runs: this.#runs.runs() };
  }
}
