import { Arena, INITIAL_ROWS, isNearlyFull } from './arena.ts';
import { AttributeTable } from './attribute-table.ts';
import { Column } from './column.ts';
import { Dictionary } from './dictionary.ts';
import { EventTable } from './event-table.ts';
import { MemoryPool } from './memory-pool.ts';
import { SpanTable } from './span-table.ts';
import { TraceTable } from './trace-table.ts';
import type { ColumnSetView } from './view.ts';

/** What a row takes in the columns that all rows have, and in the table of traces. */
const ROW_BYTES = 59;

/**
 * A column set being filled (see view.ts for its shape). One thread writes; others read views, which see the
 * rows that were there when the view was taken.
 */
export class ColumnSet {
  count = 0;
  /** Rows marked dead. */
  deadCount = 0;
  trace: Int32Array;
  spanId: Int32Array;
  parentId: Int32Array;
  start: Uint32Array;
  end: Uint32Array;
  name: Int32Array;
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint32Array;
  resource: Int32Array;
  scope: Int32Array;
  dead: Uint8Array;
  readonly traces: TraceTable;
  readonly spans: SpanTable;
  readonly names: Dictionary;
  readonly resources: Dictionary;
  readonly scopes: Dictionary;
  readonly statusMessage: Column;
  readonly traceState: Column;
  readonly overflow: Column;
  readonly attributes: AttributeTable;
  readonly events: EventTable;
  readonly #arena: Arena;

  /**
   * `seed` of the hash tables: a number that senders cannot know. `maxColumns` bounds the attribute columns of
   * spans, and separately of events; further keys go to the overflow. `pool`: where its memory comes from and goes to.
   */
  constructor({ seed, maxColumns, pool }: { seed: number; maxColumns: number; pool?: MemoryPool }) {
    const arena = new Arena(pool ?? new MemoryPool(0));
    this.#arena = arena;
    this.trace = arena.int32(INITIAL_ROWS);
    this.spanId = arena.int32(INITIAL_ROWS * 2);
    this.parentId = arena.int32(INITIAL_ROWS * 2);
    this.start = arena.uint32(INITIAL_ROWS * 2);
    this.end = arena.uint32(INITIAL_ROWS * 2);
    this.name = arena.int32(INITIAL_ROWS);
    this.kind = arena.uint8(INITIAL_ROWS);
    this.status = arena.uint8(INITIAL_ROWS);
    this.flags = arena.uint32(INITIAL_ROWS);
    this.resource = arena.int32(INITIAL_ROWS);
    this.scope = arena.int32(INITIAL_ROWS);
    this.dead = arena.uint8(INITIAL_ROWS);
    this.traces = new TraceTable(seed, arena);
    this.spans = new SpanTable(seed);
    this.names = new Dictionary(seed, arena);
    this.resources = new Dictionary(seed, arena);
    this.scopes = new Dictionary(seed, arena);
    this.statusMessage = new Column(seed, arena);
    this.traceState = new Column(seed, arena);
    this.overflow = new Column(seed, arena);
    this.attributes = new AttributeTable(seed, maxColumns, arena);
    this.events = new EventTable(seed, maxColumns, arena);
  }

  /** Bytes of all memory, hash tables and an estimate of the objects included. */
  get size(): number {
    return this.#arena.size + this.traces.size + this.spans.size + this.attributes.size + this.events.size;
  }

  /**
   * What `size` will be after the next few spans, where the rows have to grow for them: a set that ends before they do
   * has half the memory of one that ends just after.
   */
  get sizeSoon(): number {
    const capacity = this.trace.length;
    if (!isNearlyFull(this.count, capacity)) return this.size;
    return this.size + capacity * ROW_BYTES + this.attributes.growthSoon;
  }

  /** Opens a row, dead until `revive`d, and returns its number. */
  addRow(): number {
    const row = this.count;
    if (row === this.trace.length) this.#grow(row * 2);
    this.dead[row] = 1;
    this.deadCount++;
    this.count = row + 1;
    return row;
  }

  /** Closes the newest row, which was not revived and which nothing refers to, as if it had not been opened. */
  takeBackRow(): void {
    this.count--;
    this.deadCount--;
  }

  revive(row: number): void {
    this.dead[row] = 0;
    this.deadCount--;
  }

  kill(row: number): void {
    if (this.dead[row] === 1) return;
    this.dead[row] = 1;
    this.deadCount++;
  }

  /** As it is now. The caller is done with it before `release`. */
  view(): ColumnSetView {
    return {
      spanCount: this.count,
      traceCount: this.traces.count,
      traceIds: this.traces.ids,
      trace: this.trace,
      spanId: this.spanId,
      parentId: this.parentId,
      start: this.start,
      end: this.end,
      name: this.name,
      kind: this.kind,
      status: this.status,
      flags: this.flags,
      resource: this.resource,
      scope: this.scope,
      dead: this.dead,
      names: this.names.view(),
      resources: this.resources.view(),
      scopes: this.scopes.view(),
      statusMessage: this.statusMessage.view(),
      traceState: this.traceState.view(),
      attributes: this.attributes.views(),
      overflow: this.overflow.view(),
      events: this.events.view(),
    };
  }

  /** As `view`, for readers who may take as long as they like: the memory stays theirs. */
  lentView(): ColumnSetView {
    this.#arena.lend();
    return this.view();
  }

  /** Gives its memory back. Neither the set nor any `view` of it may be used any more. */
  release(): void {
    this.#arena.release();
  }

  #grow(rows: number): void {
    this.trace = this.#arena.grownInt32(this.trace, rows);
    this.spanId = this.#arena.grownInt32(this.spanId, rows * 2);
    this.parentId = this.#arena.grownInt32(this.parentId, rows * 2);
    this.start = this.#arena.grownUint32(this.start, rows * 2);
    this.end = this.#arena.grownUint32(this.end, rows * 2);
    this.name = this.#arena.grownInt32(this.name, rows);
    this.kind = this.#arena.grownUint8(this.kind, rows);
    this.status = this.#arena.grownUint8(this.status, rows);
    this.flags = this.#arena.grownUint32(this.flags, rows);
    this.resource = this.#arena.grownInt32(this.resource, rows);
    this.scope = this.#arena.grownInt32(this.scope, rows);
    this.dead = this.#arena.grownUint8(this.dead, rows);
  }
}
