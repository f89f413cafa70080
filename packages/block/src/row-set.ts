import type { AttributeColumn, ColumnSetView, DictionaryView, EventTableView } from '@vivace/columns';
import type { TableAttribute } from './attribute-plan.ts';
import type { RowSpace } from './row-space.ts';
import { type EncoderScratch, scatter } from './table-encoder.ts';

/** An attribute column that is made when it is asked for. */
export interface AttributeSource extends TableAttribute {
  /**
   * Lays its codes out by row of the table in `scratch.codes`, -1 where it has none, and counts their uses as `scatter`
   * does. Returns how many rows have a value, and the entries of the codes, which are good until the next call.
   */
  lay(space: RowSpace, scratch: EncoderScratch, kinds?: Uint8Array): { total: number; dictionary: DictionaryView };
  /** The column, in memory of its own. */
  column(): AttributeColumn;
}

/** What a block is encoded from: a column set whose attribute columns may be still to be made. */
export interface RowSet extends Omit<ColumnSetView, 'attributes' | 'events'> {
  attributes: readonly AttributeSource[];
  events: Omit<EventTableView, 'attributes'> & { attributes: readonly AttributeSource[] };
}

export function rowSetOf(set: ColumnSetView): RowSet {
  const { attributes, events } = set;
  return {
    ...set,
    attributes: attributes.map(sourceOf),
    events: { ...events, attributes: events.attributes.map(sourceOf) },
  };
}

/** The column set with all of its columns. */
export function columnSetOf(set: RowSet): ColumnSetView {
  const { attributes, events } = set;
  const made = (source: AttributeSource): AttributeColumn => source.column();
  return { ...set, attributes: attributes.map(made), events: { ...events, attributes: events.attributes.map(made) } };
}

function sourceOf(column: AttributeColumn): AttributeSource {
  const { key, type, dictionary } = column;
  return {
    key,
    type,
    lay: (space, scratch, kinds) => ({ total: scatter(column, space, scratch, kinds), dictionary }),
    column: () => column,
  };
}
