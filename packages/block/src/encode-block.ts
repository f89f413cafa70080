import type { ColumnSetView } from '@vivace/columns';
import { assert } from '@vivace/kernel';
import { planAttributes } from './attribute-plan.ts';
import { type BlockContent, BlockEncoder } from './block-encoder.ts';
import { shapeBlock } from './block-shape.ts';
import { FilterBuilder } from './filter.ts';
import { DEFAULT_PAGE_ROWS, DEFAULT_ROW_GROUP_ROWS, MAX_BLOCK_ROWS, type SectionName } from './layout.ts';
import { findRemote, linkParents } from './parent-links.ts';
import { rowSetOf } from './row-set.ts';

export interface EncodeOptions {
  /** Spans a row group has, about. */
  rowGroupRows?: number;
  /** Rows a page has unless its bytes say otherwise. */
  pageRows?: number;
  /** Seeds hash tables over ids that senders choose; does not change the result. */
  seed?: number;
}

export interface EncodedBlock extends BlockContent {
  /** Each section in parts to be written one after another, each with an ArrayBuffer of its own (for transfer). */
  sections: Record<SectionName, Uint8Array[]>;
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
  const shape = shapeBlock(rowSetOf(set), order, rowGroupRows);
  const groups = shape.spans.groups.length - 1;
  const sections: EncodedBlock['sections'] = {
    spans: [],
    events: [],
    resources: [],
    traces: [],
    filter: [],
    index: [],
  };
  const encoder = new BlockEncoder({
    spans: planAttributes(set.attributes, groups),
    events: planAttributes(set.events.attributes, groups),
    keepEmpty: false,
    pageRows,
    seed,
    filter: new FilterBuilder(),
    emit: (section, bytes) => sections[section].push(bytes),
  });
  encoder.add(shape, findRemote({ set: shape.set, order, delta: linkParents(shape, seed) }));
  return { sections, ...encoder.finish() };
}
