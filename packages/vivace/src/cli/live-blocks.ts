import { checkTenant, VivaceError } from '@vivace/kernel';
import { type BlockEntry, listTenants, type ManifestContents, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { CommandCall } from './command.ts';

/** A live block, and whose it is. */
export interface LiveBlock {
  tenant: string;
  entry: BlockEntry;
}

/** The tenant of `--tenant`, or all that the store has. */
export async function tenantsOf({ flags, signal }: CommandCall, store: ObjectStore): Promise<string[]> {
  const named = flags.get('tenant');
  if (named !== undefined) return [checkTenant(named)];
  const tenants: string[] = [];
  for await (const tenant of listTenants(store, signal)) tenants.push(tenant);
  return tenants;
}

/** Everything that the root of a tenant names. */
export function inspectTenant(
  { clock, random, signal }: CommandCall,
  store: ObjectStore,
  tenant: string,
): Promise<ManifestContents> {
  return openManifest({ store, tenant, clock, random }).inspect(signal);
}

/** Live blocks of the tenants asked for, each tenant's oldest first. */
export async function liveBlocks(call: CommandCall, store: ObjectStore): Promise<LiveBlock[]> {
  const blocks: LiveBlock[] = [];
  for (const tenant of await tenantsOf(call, store)) {
    const { live } = await inspectTenant(call, store, tenant);
    const byId = live.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const entry of byId) blocks.push({ tenant, entry });
  }
  return blocks;
}

/** The live block of an id, of which the last digits are enough when they name one block only. */
export async function findBlock(call: CommandCall, store: ObjectStore, id: string): Promise<LiveBlock> {
  const found = (await liveBlocks(call, store)).filter(({ entry }) => entry.id === id || entry.id.endsWith(id));
  const [block] = found;
  if (block === undefined || id === '') {
    throw new VivaceError('not-found', 'block-unknown', `no live block has this id: see vivace blocks ls, ${id}`);
  }
  if (found.length > 1) {
    throw new VivaceError(
      'invalid',
      'usage',
      `${found.length} blocks end in these digits: write more of the id, ${id}`,
    );
  }
  return block;
}

export function blockBytes({ sections }: BlockEntry): number {
  return Object.values(sections).reduce((sum, { length }) => sum + length, 0);
}
