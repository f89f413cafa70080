import { type Arena, INITIAL_ROWS } from './arena.ts';
import { AttributeTable } from './attribute-table.ts';
import { Column } from './column.ts';
import { Dictionary } from './dictionary.ts';
import type { EventTableView } from './view.ts';

/** Events and links being filled, in the order of their spans. */
export class EventTable {
  count = 0;
  span: Int32Array;
  kind: Uint8Array;
  time: Uint32Array;
  name: Int32Array;
  linkCount = 0;
  linkRows: Int32Array;
  linkIds: Uint8Array;
  readonly names: Dictionary;
  readonly traceState: Column;
  readonly overflow: Column;
  readonly attributes: AttributeTable;

  readonly #arena: Arena;

  constructor(seed: number, maxColumns: number, arena: Arena) {
    this.#arena = arena;
    this.span = arena.int32(INITIAL_ROWS);
    this.kind = arena.uint8(INITIAL_ROWS);
    this.time = arena.uint32(INITIAL_ROWS * 2);
    this.name = arena.int32(INITIAL_ROWS);
    this.linkRows = arena.int32(INITIAL_ROWS);
    this.linkIds = arena.uint8(INITIAL_ROWS * 24);
    this.names = new Dictionary(seed, arena);
    this.traceState = new Column(seed, arena);
    this.overflow = new Column(seed, arena);
    this.attributes = new AttributeTable(seed, maxColumns, arena);
  }

  /** Bytes outside the arena. */
  get size(): number {
    return this.attributes.size;
  }

  /** Opens a row for a span and returns its number. */
  add(span: number, kind: number): number {
    const row = this.count;
    if (row === this.span.length) {
      this.span = this.#arena.grownInt32(this.span, row * 2);
      this.kind = this.#arena.grownUint8(this.kind, row * 2);
      this.time = this.#arena.grownUint32(this.time, row * 4);
      this.name = this.#arena.grownInt32(this.name, row * 2);
    }
    this.span[row] = span;
    this.kind[row] = kind;
    this.time[row * 2] = 0;
    this.time[row * 2 + 1] = 0;
    this.name[row] = -1;
    this.count = row + 1;
    return row;
  }

  /** The ids of the link in the newest row, 24 bytes at `ids` in two places of the source. */
  addLink(row: number, bytes: Uint8Array, traceIdAt: number, spanIdAt: number): void {
    const at = this.linkCount;
    if (at === this.linkRows.length) {
      this.linkRows = this.#arena.grownInt32(this.linkRows, at * 2);
      this.linkIds = this.#arena.grownUint8(this.linkIds, at * 48);
    }
    this.linkRows[at] = row;
    for (let i = 0; i < 16; i++) this.linkIds[at * 24 + i] = bytes[traceIdAt + i] as number;
    for (let i = 0; i < 8; i++) this.linkIds[at * 24 + 16 + i] = bytes[spanIdAt + i] as number;
    this.linkCount = at + 1;
  }

  view(): EventTableView {
    return {
      count: this.count,
      span: this.span,
      kind: this.kind,
      time: this.time,
      name: this.name,
      names: this.names.view(),
      linkCount: this.linkCount,
      linkRows: this.linkRows,
      linkIds: this.linkIds,
      traceState: this.traceState.view(),
      attributes: this.attributes.views(),
      overflow: this.overflow.view(),
    };
  }
}
