import { type AttributePlan, planAttributes, type TableAttribute } from '../attribute-plan.ts';
import type { AttributeScope } from '../layout.ts';
import type { InputAttributes } from './gather-set.ts';
import { columnId, type InputBlock, type MergedTable } from './input-block.ts';

/** The attributes of one table of several blocks. */
export interface MergedColumns {
  /** Columns of the output, and attributes that some input has a column of and the output has not. */
  plan: AttributePlan;
  /** Attributes that some input has a column of. */
  stored: readonly TableAttribute[];
  /** Columns of the output whose values may lie in the overflow of an input. */
  promoted: readonly TableAttribute[];
}

const SCOPES: Record<MergedTable, readonly AttributeScope[]> = { spans: ['span'], events: ['event', 'link'] };

/**
 * Chooses the attribute columns of the output, by the rows that have a value in all inputs: as columns or, as their
 * summaries say, in the overflow.
 */
export function planColumns(inputs: readonly InputBlock[], table: MergedTable, rowGroups: number): MergedColumns {
  const found = new Map<string, TableAttribute & { count: number; columns: number; listed: number }>();
  const note = (attribute: TableAttribute) => {
    const id = columnId(attribute);
    let entry = found.get(id);
    if (entry === undefined) {
      entry = { key: attribute.key, type: attribute.type, count: 0, columns: 0, listed: 0 };
      found.set(id, entry);
    }
    return entry;
  };
  for (const { index, totals } of inputs) {
    const listed = new Set<string>();
    for (const { scope, key, type, total } of totals) {
      if (type === 'other' || !SCOPES[table].includes(scope) || !mayBeColumn(key)) continue;
      const entry = note({ key, type });
      entry.count += total;
      if (!listed.has(columnId(entry))) entry.listed++;
      listed.add(columnId(entry));
    }
    for (const { attribute } of index[table].columns) {
      if (attribute === undefined) continue;
      const entry = note(attribute);
      entry.columns++;
      // A summary does not list all attributes where there are too many.
      if (!listed.has(columnId(entry))) {
        entry.count++;
        entry.listed++;
      }
    }
  }
  const attributes = [...found.values()].sort((a, b) => (columnId(a) < columnId(b) ? -1 : 1));
  const plan = planAttributes(attributes, rowGroups);
  const columns = new Set(plan.columns.map(columnId));
  return {
    plan,
    stored: attributes.filter((entry) => entry.columns > 0),
    promoted: attributes.filter((entry) => columns.has(columnId(entry)) && entry.columns < entry.listed),
  };
}

/** Keys as long as heads give no column, and keys that were not UTF-8, stay where they are. */
function mayBeColumn(key: string): boolean {
  return key !== '' && key.length <= 1024 && !key.includes('\ufffd');
}

export function storedAttributes(spans: MergedColumns, events: MergedColumns): InputAttributes {
  return { spans: spans.stored, events: events.stored };
}
