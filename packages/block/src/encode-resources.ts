import type { AttributeColumn, DictionaryView } from '@vivace/columns';
import { equalBytes, utf8Decode, utf8Encode } from '@vivace/kernel';
import { planAttributes, resolvePlan, type TableAttribute } from './attribute-plan.ts';
import type { BlockFacts } from './block-facts.ts';
import { BYTES, FieldWalker } from './fields.ts';
import { type ScannedAttribute, scanKeyValue } from './key-value.ts';
import { attributeSchema, RESOURCE_COLUMNS, RESOURCE_ROW, SCOPE_ROW } from './layout.ts';
import type { OwnerRegistry } from './owner-registry.ts';
import type { TableWriter } from './parquet/table-writer.ts';
import { BOOLEAN } from './parquet/types.ts';
import type { RowSpace } from './row-space.ts';
import { type EncoderScratch, intValues, TableEncoder, valuesOf } from './table-encoder.ts';

const SERVICE_NAME = utf8Encode('service.name');
const NO_BYTES = new Uint8Array(0);

/** Of one distinct resource or scope, read from its bytes. */
interface Owner {
  kind: typeof RESOURCE_ROW | typeof SCOPE_ROW;
  id: number;
  bytes: Uint8Array;
  /** Instrumentation scopes only. */
  name: Uint8Array;
  version: Uint8Array;
  serviceName: Uint8Array | undefined;
  attributes: ScannedAttribute[];
}

/** The table of distinct resources and scopes: few rows, so plain code. Returns its attribute columns. */
export function encodeResources(
  resources: OwnerRegistry,
  scopes: OwnerRegistry,
  into: TableWriter,
  scratch: EncoderScratch,
  facts: BlockFacts,
  pageRows: number,
): TableAttribute[] {
  const owners = [
    ...resources.entries.map((bytes, id) => scanOwner(RESOURCE_ROW, id, bytes)),
    ...scopes.entries.map((bytes, id) => scanOwner(SCOPE_ROW, id, bytes)),
  ];
  for (const { kind, id, attributes } of owners) {
    const counts = kind === RESOURCE_ROW ? resources.counts : scopes.counts;
    const scope = kind === RESOURCE_ROW ? 'resource' : 'instrumentation';
    for (const attribute of attributes) facts.attribute(scope, attribute, counts[id] as number);
  }

  const rows = owners.length;
  const position = Int32Array.from({ length: rows }, (_, row) => row);
  const space: RowSpace = { rows, position, groups: Int32Array.of(0, rows) };
  if (scratch.codes.length < rows) scratch.codes = new Int32Array(rows);
  const table = new TableEncoder(space, scratch, pageRows);
  const [SERVICE, KIND, ID, SCOPE_NAME, SCOPE_VERSION, EXACT] = RESOURCE_COLUMNS;
  const text = (schema: (typeof RESOURCE_COLUMNS)[number], value: (owner: Owner) => Uint8Array | undefined): void => {
    const dictionary = createEntries();
    for (const [row, owner] of owners.entries()) {
      const bytes = value(owner);
      scratch.codes[row] = bytes === undefined ? -1 : dictionary.code(bytes);
    }
    const view = dictionary.view();
    table.codes(schema, valuesOf(view, schema), view.count);
  };
  const number = (schema: (typeof RESOURCE_COLUMNS)[number], value: (owner: Owner) => number): void => {
    const values = Int32Array.from(owners, value);
    for (let row = 0; row < rows; row++) scratch.codes[row] = row;
    table.codes(schema, intValues(values), rows);
  };
  text(SERVICE, ({ serviceName }) => (serviceName && isText(serviceName) ? serviceName : undefined));
  number(KIND, ({ kind }) => kind);
  number(ID, ({ id }) => id);
  text(SCOPE_NAME, ({ kind, name }) => (kind === SCOPE_ROW && isText(name) ? name : undefined));
  text(SCOPE_VERSION, ({ kind, version }) => (kind === SCOPE_ROW && isText(version) ? version : undefined));
  text(EXACT, ({ bytes }) => bytes);
  const attributes = attributeColumns(owners);
  const written: TableAttribute[] = [];
  for (const column of resolvePlan(planAttributes(attributes, 1), attributes).columns) {
    if (column === undefined) continue;
    const { key, type, rows: columnRows, codes, count, dictionary } = column;
    const schema = attributeSchema(key, type);
    scratch.codes.fill(-1, 0, rows);
    for (let i = 0; i < count; i++) scratch.codes[columnRows[i] as number] = codes[i] as number;
    const entries =
      schema.type === BOOLEAN
        ? { bytes: dictionary.bytes, width: 1, offsets: undefined }
        : valuesOf(dictionary, schema);
    table.codes(schema, entries, dictionary.count);
    written.push({ key, type });
  }
  table.write(into);
  return written;
}

/** The service name of a resource, given as in the resources table: empty where it has none, or one that is not UTF-8. */
export function serviceNameOf(resource: Uint8Array): Uint8Array {
  const { serviceName } = scanOwner(RESOURCE_ROW, 0, resource);
  return serviceName && isText(serviceName) ? serviceName : NO_BYTES;
}

/**
 * Reads ResourceSpans { resource = 1 } with Resource { attributes = 1 }, or ScopeSpans { scope = 1 } with
 * InstrumentationScope { name = 1, version = 2, attributes = 3 }.
 */
function scanOwner(kind: Owner['kind'], id: number, bytes: Uint8Array): Owner {
  const owner: Owner = { kind, id, bytes, name: NO_BYTES, version: NO_BYTES, serviceName: undefined, attributes: [] };
  const attributeField = kind === RESOURCE_ROW ? 1 : 3;
  const outer = new FieldWalker(bytes);
  while (outer.next()) {
    if (outer.field !== 1 || outer.wire !== BYTES) continue;
    const inner = new FieldWalker(bytes, outer.from, outer.to);
    while (inner.next()) {
      if (inner.wire !== BYTES) continue;
      if (inner.field === attributeField) owner.attributes.push(scanKeyValue(bytes, inner.from, inner.to));
      else if (inner.field === 1) owner.name = inner.content();
      else if (inner.field === 2) owner.version = inner.content();
    }
  }
  if (kind === RESOURCE_ROW) {
    const service = owner.attributes.find(({ key, type }) => type === 'string' && equalBytes(key, SERVICE_NAME));
    owner.serviceName = service?.value;
  }
  return owner;
}

/** Attributes as columns: the first of each key and type of an owner, where key and text are UTF-8. */
function attributeColumns(owners: readonly Owner[]): AttributeColumn[] {
  const columns = new Map<
    string,
    { key: string; type: AttributeColumn['type']; rows: number[]; codes: number[]; entries: Entries }
  >();
  for (const [row, { attributes }] of owners.entries()) {
    for (const { key, type, value } of attributes) {
      if (type === undefined || !isText(key) || (type === 'string' && !isText(value))) continue;
      const name = utf8Decode(key);
      const id = `${type} ${name}`;
      let column = columns.get(id);
      if (column === undefined) {
        column = { key: name, type, rows: [], codes: [], entries: createEntries() };
        columns.set(id, column);
      }
      if (column.rows.at(-1) === row) continue;
      column.rows.push(row);
      column.codes.push(column.entries.code(value));
    }
  }
  return [...columns.values()].map(({ key, type, rows, codes, entries }) => ({
    key,
    type,
    count: rows.length,
    rows: Int32Array.from(rows),
    codes: Int32Array.from(codes),
    dictionary: entries.view(),
  }));
}

interface Entries {
  code(bytes: Uint8Array): number;
  view(): DictionaryView;
}

/** A dictionary filled from few values. */
function createEntries(): Entries {
  const codes = new Map<string, number>();
  const parts: Uint8Array[] = [];
  return {
    code(bytes) {
      const id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
      const known = codes.get(id);
      if (known !== undefined) return known;
      codes.set(id, parts.length);
      parts.push(bytes);
      return parts.length - 1;
    },
    view() {
      const offsets = new Uint32Array(parts.length + 1);
      for (const [i, part] of parts.entries()) offsets[i + 1] = (offsets[i] as number) + part.length;
      const bytes = new Uint8Array(offsets[parts.length] as number);
      for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]);
      return { count: parts.length, bytes, offsets };
    },
  };
}

const strict = new TextDecoder('utf-8', { fatal: true });

function isText(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
