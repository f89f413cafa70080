import type { ColumnSetView } from '@vivace/columns';
import { assert } from '@vivace/kernel';
import { BlockFacts } from './block-facts.ts';
import { shapeBlock } from './block-shape.ts';
import { encodeEvents } from './encode-events.ts';
import { encodeIndex } from './encode-index.ts';
import { encodeResources } from './encode-resources.ts';
import { encodeSpans } from './encode-spans.ts';
import { encodeTraces } from './encode-traces.ts';
import { DEFAULT_PAGE_ROWS, DEFAULT_ROW_GROUP_ROWS, MAX_BLOCK_ROWS, type SectionName } from './layout.ts';
import { createScratch } from './table-encoder.ts';
import { usedEntries } from './used-entries.ts';

export interface EncodeOptions {
  /** Spans a row group has, about. */
  rowGroupRows?: number;
  /** Rows a page has unless its bytes say otherwise. */
  pageRows?: number;
  /** Seeds hash tables over ids that senders choose; does not change the result. */
  seed?: number;
}

export interface EncodedBlock {
  /** Each section in parts to be written one after another, each with an ArrayBuffer of its own (for transfer). */
  sections: Record<SectionName, Uint8Array[]>;
  rows: number;
  traces: number;
  /** Earliest start and latest end (a start where it ends before), nanoseconds since 1970. */
  minStart: bigint;
  maxEnd: bigint;
  filterBytes: number;
}

/**
 * Encodes rows of a column set as a block (format version 1, FORMAT.md). CPU work of about a second per million
 * spans: for a worker. Needs memory for the result, some 30 bytes a row, and one row group.
 *
 * @param order Rows of the set to store, at least one, ordered by (trace id, start, span id, kind).
 */
export function encodeBlock(set: ColumnSetView, order: Int32Array, options: EncodeOptions = {}): EncodedBlock {
  const { rowGroupRows = DEFAULT_ROW_GROUP_ROWS, pageRows = DEFAULT_PAGE_ROWS, seed = 0 } = options;
  assert(order.length > 0 && order.length <= MAX_BLOCK_ROWS, `a block of ${order.length} rows`);
  assert(rowGroupRows > 0 && pageRows > 0, 'row groups and pages have rows');
  const shape = shapeBlock(set, order, rowGroupRows);
  const scratch = createScratch(order.length);
  const facts = new BlockFacts();
  for (let trace = 0; trace < shape.traceCount; trace++) {
    const code = set.trace[order[shape.traceFirst[trace] as number] as number] as number;
    facts.traceId(set.traceIds, 16 * code);
  }
  const resourceUse = usedEntries(order, set.resource, set.resources.count);
  const scopeUse = usedEntries(order, set.scope, set.scopes.count);
  const spans = encodeSpans(shape, resourceUse, scopeUse, scratch, facts, { pageRows, seed });
  const events = encodeEvents(shape, scratch, facts, { pageRows });
  const resources = encodeResources(set, resourceUse, scopeUse, scratch, facts, pageRows);
  const traces = encodeTraces(shape, resourceUse.codes, resources.serviceNames, scratch, { pageRows });
  const { filter, summary } = facts.finish();
  const index = encodeIndex({
    shape,
    minStart: spans.minStart,
    maxEnd: spans.maxEnd,
    spans,
    events,
    resources: { ...resources, resourceCount: resourceUse.used.length },
    traces: { table: traces, attributes: [] },
    summary,
  });
  return {
    sections: {
      spans: spans.table.parts,
      events: events.table.parts,
      resources: resources.table.parts,
      traces: traces.parts,
      filter: [filter],
      index,
    },
    rows: order.length,
    traces: shape.traceCount,
    minStart: spans.minStart,
    maxEnd: spans.maxEnd,
    filterBytes: filter.length,
  };
}
