import { AttributeTable } from './attribute-table.ts';
import { Column } from './column.ts';
import { Dictionary } from './dictionary.ts';
import { EventTable } from './event-table.ts';
import {
  grownInt32,
  grownUint8,
  grownUint32,
  INITIAL_ROWS,
  sharedInt32,
  sharedUint8,
  sharedUint32,
} from './shared-array.ts';
import { SpanTable } from './span-table.ts';
import { TraceTable } from './trace-table.ts';
import type { ColumnSetView } from './view.ts';

/**
 * A column set being filled (see view.ts for its shape). One thread writes; others read views, which see the
 * rows that were there when the view was taken.
 */
export class ColumnSet {
  count = 0;
  /** Rows marked dead. */
  deadCount = 0;
  trace = sharedInt32(INITIAL_ROWS);
  spanId = sharedInt32(INITIAL_ROWS * 2);
  parentId = sharedInt32(INITIAL_ROWS * 2);
  start = sharedUint32(INITIAL_ROWS * 2);
  end = sharedUint32(INITIAL_ROWS * 2);
  name = sharedInt32(INITIAL_ROWS);
  kind = sharedUint8(INITIAL_ROWS);
  status = sharedUint8(INITIAL_ROWS);
  flags = sharedUint32(INITIAL_ROWS);
  resource = sharedInt32(INITIAL_ROWS);
  scope = sharedInt32(INITIAL_ROWS);
  dead = sharedUint8(INITIAL_ROWS);
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

  /**
   * `seed` of the hash tables: a number that senders cannot know. `maxColumns` bounds the attribute columns of
   * spans, and separately of events; further keys go to the overflow.
   */
  constructor({ seed, maxColumns }: { seed: number; maxColumns: number }) {
    this.traces = new TraceTable(seed);
    this.spans = new SpanTable(seed);
    this.names = new Dictionary(seed);
    this.resources = new Dictionary(seed);
    this.scopes = new Dictionary(seed);
    this.statusMessage = new Column(seed);
    this.traceState = new Column(seed);
    this.overflow = new Column(seed);
    this.attributes = new AttributeTable(seed, maxColumns);
    this.events = new EventTable(seed, maxColumns);
  }

  /** Bytes of all buffers, hash tables included. */
  get size(): number {
    return (
      this.trace.length * 47 +
      this.traces.size +
      this.spans.size +
      this.names.size +
      this.resources.size +
      this.scopes.size +
      this.statusMessage.size +
      this.traceState.size +
      this.overflow.size +
      this.attributes.size +
      this.events.size
    );
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

  revive(row: number): void {
    this.dead[row] = 0;
    this.deadCount--;
  }

  kill(row: number): void {
    if (this.dead[row] === 1) return;
    this.dead[row] = 1;
    this.deadCount++;
  }

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

  #grow(rows: number): void {
    this.trace = grownInt32(this.trace, rows);
    this.spanId = grownInt32(this.spanId, rows * 2);
    this.parentId = grownInt32(this.parentId, rows * 2);
    this.start = grownUint32(this.start, rows * 2);
    this.end = grownUint32(this.end, rows * 2);
    this.name = grownInt32(this.name, rows);
    this.kind = grownUint8(this.kind, rows);
    this.status = grownUint8(this.status, rows);
    this.flags = grownUint32(this.flags, rows);
    this.resource = grownInt32(this.resource, rows);
    this.scope = grownInt32(this.scope, rows);
    this.dead = grownUint8(this.dead, rows);
  }
}
