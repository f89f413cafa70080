import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { decodeTenant, TENANTS_PREFIX } from './paths.ts';

/**
 * The tenants that have anything in the store, in the order of their keys; one LIST each. Keys that name no
 * tenant are passed over. `maxTenants` bounds the walk over a store that somebody else fills.
 */
export async function* listTenants(
  store: ObjectStore,
  signal: AbortSignal,
  maxTenants = 1_000_000,
): AsyncGenerator<string> {
  let after = TENANTS_PREFIX;
  for (let seen = 0; seen < maxTenants; seen++) {
    const { objects } = await store.list(TENANTS_PREFIX, { after, limit: 1, signal });
    const name = objects[0]?.key.slice(TENANTS_PREFIX.length).split('/')[0];
    if (name === undefined) return;
    // '0' comes next after '/': behind everything of this tenant, and before every other.
    after = `${TENANTS_PREFIX}${name}0`;
    try {
      yield decodeTenant(name);
    } catch (error) {
      if (!isKind(error, 'data')) throw error;
    }
  }
}
