import { equalBytes } from '@vivace/kernel';
import type { BlockIndex } from '../block-index.ts';
import { RESOURCE_ROW } from '../layout.ts';
import type { DecodedColumn } from '../parquet/chunk-reader.ts';
import { integerAt } from '../parquet/whole-chunk.ts';
import type { Owners } from '../read-rows.ts';
import type { Findings } from './findings.ts';
import { type Services, valueAt } from './verify-traces.ts';

/** The resources and scopes of a block, from their table. */
export interface OwnerTable {
  owners: Owners;
  services: Services;
}

const NO_BYTES = new Uint8Array(0);

/** Whether resources and then scopes are numbered from 0, and are those that the index has. */
export function verifyOwners(
  index: BlockIndex,
  groups: readonly ReadonlyMap<string, DecodedColumn>[],
  findings: Findings,
): OwnerTable | undefined {
  const resources: Uint8Array[] = [];
  const scopes: Uint8Array[] = [];
  const serviceNames: Uint8Array[] = [];
  for (const [rowGroup, columns] of groups.entries()) {
    const column = (name: string) => columns.get(name) as DecodedColumn;
    for (let row = 0; row < column('id').codes.length; row++) {
      const integer = (name: string) => integerAt(column(name).entries, column(name).codes[row] as number);
      const kind = integer('kind');
      const list = kind === RESOURCE_ROW ? resources : scopes;
      if (integer('id') !== list.length || (kind === RESOURCE_ROW && scopes.length > 0)) {
        findings.add({ section: 'resources', rowGroup, column: 'id', what: `row ${row} has a wrong number` });
        return undefined;
      }
      list.push(valueAt(column('bytes'), row) ?? NO_BYTES);
      if (kind === RESOURCE_ROW) serviceNames.push(valueAt(column('service_name'), row) ?? NO_BYTES);
    }
  }
  for (const [name, list, known, count] of [
    ['resources', resources, index.resources, index.resourceCount],
    ['scopes', scopes, index.scopes, index.scopeCount],
  ] as const) {
    const same = known === undefined || known.every((bytes, i) => equalBytes(bytes, list[i] ?? NO_BYTES));
    if (list.length === count && same) continue;
    findings.add({ section: 'resources', what: `the ${name} of the table are not those of the index` });
    return undefined;
  }
  return { owners: { resources, scopes }, services: numberServices(serviceNames) };
}

/** Services by the first resource that has their name. */
function numberServices(serviceNames: readonly Uint8Array[]): Services {
  const known = new Map<string, number>();
  const names: Uint8Array[] = [];
  const numbers = serviceNames.map((name) => {
    const id = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    const number = known.get(id) ?? names.length;
    if (number === names.length) {
      known.set(id, number);
      names.push(name);
    }
    return number;
  });
  return { numbers, names };
}
