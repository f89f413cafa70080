import { AttributeTable } from './attribute-table.ts';
import { Column } from './column.ts';
import { Dictionary } from './dictionary.ts';
import {
  grownInt32,
  grownUint8,
  grownUint32,
  INITIAL_ROWS,
  sharedInt32,
  sharedUint8,
  sharedUint32,
} from './shared-array.ts';
import type { EventTableView } from './view.ts';

/** Events and links being filled, in the order of their spans. */
export class EventTable {
  count = 0;
  span = sharedInt32(INITIAL_ROWS);
  kind = sharedUint8(INITIAL_ROWS);
  time = sharedUint32(INITIAL_ROWS * 2);
  name = sharedInt32(INITIAL_ROWS);
  linkCount = 0;
  linkRows = sharedInt32(INITIAL_ROWS);
  linkIds = sharedUint8(INITIAL_ROWS * 24);
  readonly names: Dictionary;
  readonly traceState: Column;
  readonly overflow: Column;
  readonly attributes: AttributeTable;

  constructor(seed: number, maxColumns: number) {
    this.names = new Dictionary(seed);
    this.traceState = new Column(seed);
    this.overflow = new Column(seed);
    this.attributes = new AttributeTable(seed, maxColumns);
  }

  get size(): number {
    return (
      this.span.length * 17 +
      this.linkRows.length * 28 +
      this.names.size +
      this.traceState.size +
      this.overflow.size +
      this.attributes.size
    );
  }

  /** Opens a row for a span and returns its number. */
  add(span: number, kind: number): number {
    const row = this.count;
    if (row === this.span.length) {
      this.span = grownInt32(this.span, row * 2);
      this.kind = grownUint8(this.kind, row * 2);
      this.time = grownUint32(this.time, row * 4);
      this.name = grownInt32(this.name, row * 2);
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
      this.linkRows = grownInt32(this.linkRows, at * 2);
      this.linkIds = grownUint8(this.linkIds, at * 48);
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
