import type { TableColumnLayout, TableLayout } from '../block-index.ts';
import { type Field, SOURCES } from '../scan/fields.ts';
import type { ColumnNeeds } from '../scan/run-columns.ts';

/** Columns of a table that are read: by name, and by the key of an attribute. */
interface WantedOfTable {
  names: ReadonlySet<string>;
  keys: ReadonlySet<string>;
}

/** What is read of blocks of which not everything is. */
export interface WantedColumns {
  spans: WantedOfTable;
  events: WantedOfTable;
  fields: ReadonlySet<Field>;
}

/** What rows have for keys, and what decides between two versions of a span before anything else. */
const IDENTITY = ['start', 'spanIds', 'kind', 'parentIds', 'end', 'overflow'] as const;

/** The stored columns of some fields and keys, and of what makes one trace of its parts; the ids of traces in any case. */
export function wantedColumns(needs: readonly ColumnNeeds[] | undefined): WantedColumns {
  const fields = new Set<Field>();
  const spans = new Set(['trace_id']);
  const events = new Set<string>();
  const add = (field: Field): void => {
    fields.add(field);
    const source = SOURCES[field];
    for (const name of source.spans ?? []) spans.add(name);
    for (const name of source.events ?? []) events.add(name);
    for (const other of source.fields ?? []) add(other);
  };
  const spanKeys = new Set<string>();
  const eventKeys = new Set<string>();
  if (needs !== undefined) IDENTITY.forEach(add);
  for (const { fields: ofSpans, keys, eventFields, eventKeys: ofEvents } of needs ?? []) {
    for (const field of [...ofSpans, ...eventFields]) add(field);
    for (const key of keys) spanKeys.add(key);
    for (const key of ofEvents) eventKeys.add(key);
    if (eventFields.size + ofEvents.size > 0) for (const field of ['eventSpan', 'eventKind'] as const) add(field);
  }
  return { spans: { names: spans, keys: spanKeys }, events: { names: events, keys: eventKeys }, fields };
}

/** Numbers of the columns in a block. */
export function wantedNumbers({ columns }: TableLayout, { names, keys }: WantedOfTable): number[] {
  return [...columns.keys()].filter((number) => {
    const { schema, attribute } = columns[number] as TableColumnLayout;
    return attribute === undefined ? names.has(schema.name) : keys.has(attribute.key);
  });
}
