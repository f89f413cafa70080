import type { AttributeColumn } from '@vivace/columns';
import { compareBytes, utf8Encode } from '@vivace/kernel';
import { attributeColumnName, MAX_ATTRIBUTE_CHUNKS, MAX_ATTRIBUTE_COLUMNS } from './layout.ts';

/** Which attributes of a table become columns and which go to its overflow column. */
export interface AttributePlan {
  columns: TableAttribute[];
  demoted: TableAttribute[];
}

/** An attribute with a type; of a table's columns, or what could become one. */
export type TableAttribute = Pick<AttributeColumn, 'key' | 'type'>;

/**
 * Of columns whose names are equal under case folding only the bytewise first stays: readers that ignore case
 * (DuckDB) would answer one with the values of the other. Beyond `min(512, 32,768 / row groups)` the columns of
 * most rows stay: a footer of a thousand columns and a hundred groups takes 0.7 s to parse. Columns come out
 * sorted by name.
 */
export function planAttributes(
  attributes: readonly (TableAttribute & { count: number })[],
  rowGroups: number,
): AttributePlan {
  const named = attributes
    .filter((column) => column.count > 0)
    .map((column) => {
      const name = attributeColumnName(column.key, column.type);
      return { column, name: utf8Encode(name), folded: name.toLowerCase() };
    })
    .sort((a, b) => compareBytes(a.name, b.name));
  const demoted: TableAttribute[] = [];
  const taken = new Set<string>();
  const kept = named.filter(({ column, folded }) => {
    if (!taken.has(folded)) {
      taken.add(folded);
      return true;
    }
    demoted.push(column);
    return false;
  });
  const cap = Math.min(MAX_ATTRIBUTE_COLUMNS, Math.floor(MAX_ATTRIBUTE_CHUNKS / Math.max(1, rowGroups)));
  if (kept.length <= cap) return { columns: kept.map(({ column }) => column), demoted };
  const byCount = kept.toSorted((a, b) => b.column.count - a.column.count || compareBytes(a.name, b.name));
  const chosen = new Set(byCount.slice(0, cap));
  for (const entry of kept) if (!chosen.has(entry)) demoted.push(entry.column);
  return { columns: kept.filter((entry) => chosen.has(entry)).map(({ column }) => column), demoted };
}

/** The columns of a set that a plan names, in its order; what the set has none of is undefined. */
export function resolvePlan<Column extends TableAttribute>(
  { columns, demoted }: AttributePlan,
  attributes: readonly Column[],
): { columns: (Column | undefined)[]; demoted: Column[] } {
  const known = new Map(attributes.map((column) => [`${column.type} ${column.key}`, column]));
  const find = ({ key, type }: TableAttribute): Column | undefined => known.get(`${type} ${key}`);
  return { columns: columns.map(find), demoted: demoted.flatMap((attribute) => find(attribute) ?? []) };
}
