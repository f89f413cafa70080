import type { AttributeColumn } from '@vivace/columns';
import type { BlockFacts } from './block-facts.ts';
import { attributeSchema } from './layout.ts';
import { BOOLEAN } from './parquet/types.ts';
import { scatter, type TableEncoder, valuesOf } from './table-encoder.ts';

/** An attribute column of a table, in file order. */
export type TableAttribute = Pick<AttributeColumn, 'key' | 'type'>;

/**
 * Writes one column an attribute and feeds all of them, the demoted ones too, to the block's facts. `kinds`
 * tells events from links by row of the column set. Returns the columns that have a value.
 */
export function encodeAttributes(
  table: TableEncoder,
  columns: readonly AttributeColumn[],
  demoted: readonly AttributeColumn[],
  facts: BlockFacts,
  kinds?: Uint8Array,
): TableAttribute[] {
  const { space, scratch } = table;
  const written: TableAttribute[] = [];
  for (const column of columns) {
    const total = scatter(column, space, scratch, kinds);
    if (total === 0) continue;
    recordFacts(table, column, total, facts, kinds);
    const schema = attributeSchema(column.key, column.type);
    const { dictionary } = column;
    const entries =
      schema.type === BOOLEAN
        ? { bytes: dictionary.bytes, width: 1, offsets: undefined }
        : valuesOf(dictionary, schema);
    table.codes(schema, entries, dictionary.count);
    written.push({ key: column.key, type: column.type });
  }
  for (const column of demoted) {
    const total = scatter(column, space, scratch, kinds);
    recordFacts(table, column, total, facts, kinds);
  }
  return written;
}

function recordFacts(
  { scratch }: TableEncoder,
  column: AttributeColumn,
  total: number,
  facts: BlockFacts,
  kinds: Uint8Array | undefined,
): void {
  const { counts, linkCounts } = scratch;
  if (kinds === undefined) {
    facts.column('span', column, counts, total);
    return;
  }
  const entries = column.dictionary.count;
  facts.column('event', column, counts, sum(counts, entries));
  facts.column('link', column, linkCounts, sum(linkCounts, entries));
}

function sum(counts: Int32Array, length: number): number {
  let total = 0;
  for (let i = 0; i < length; i++) total += counts[i] as number;
  return total;
}
