import type { AttributeColumn } from '@vivace/columns';
import { type AttributePlan, resolvePlan, type TableAttribute } from './attribute-plan.ts';
import type { BlockFacts, ColumnValues } from './block-facts.ts';
import { attributeSchema } from './layout.ts';
import { BOOLEAN } from './parquet/types.ts';
import type { AttributeSource } from './row-set.ts';
import { scatter, type TableEncoder, valuesOf } from './table-encoder.ts';

/**
 * Writes one column an attribute of the plan and feeds all of them, the demoted ones too, to the block's facts.
 * `kinds` tells events from links by row of the column set. Returns the columns it has written, and the demoted ones.
 *
 * @param keepEmpty Columns of the plan without a value are written, too: other row groups may have values.
 */
export function encodeAttributes(
  table: TableEncoder,
  plan: AttributePlan,
  attributes: readonly AttributeSource[],
  facts: BlockFacts,
  { keepEmpty, kinds }: { keepEmpty: boolean; kinds?: Uint8Array },
): { written: TableAttribute[]; demoted: AttributeColumn[] } {
  const { space, scratch } = table;
  const written: TableAttribute[] = [];
  const { columns, demoted } = resolvePlan(plan, attributes);
  for (const [number, column] of columns.entries()) {
    const { key, type } = plan.columns[number] as TableAttribute;
    const schema = attributeSchema(key, type);
    const laid = column?.lay(space, scratch, kinds);
    if (laid === undefined || laid.total === 0) {
      if (!keepEmpty) continue;
      table.nothing(schema);
    } else {
      const { total, dictionary } = laid;
      recordFacts(table, { key, type, dictionary }, total, facts, kinds);
      const entries =
        schema.type === BOOLEAN
          ? { bytes: dictionary.bytes, width: 1, offsets: undefined }
          : valuesOf(dictionary, schema);
      table.codes(schema, entries, dictionary.count);
    }
    written.push({ key, type });
  }
  const others = demoted.map((source) => source.column());
  for (const column of others) {
    const total = scatter(column, space, scratch, kinds);
    recordFacts(table, column, total, facts, kinds);
  }
  return { written, demoted: others };
}

function recordFacts(
  { scratch }: TableEncoder,
  column: ColumnValues,
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
