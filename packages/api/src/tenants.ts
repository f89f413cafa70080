import { checkTenant, SINGLE_TENANT, VivaceError } from '@vivace/kernel';

export interface Tenancy {
  /** Off: every request is of one tenant and the header is ignored. */
  enabled: boolean;
  /** Whether `a|b` in the header reads from both tenants. */
  multiTenantQueries: boolean;
}

/** A request fans out to this many tenants at most: each costs a whole lookup. */
const MAX_TENANTS = 64;

/**
 * The tenants a read is for, from its `X-Scope-OrgID` header: sorted, each once, at least one.
 * Throws `unauthorized` when the header is needed and missing, `invalid` when it cannot be used.
 */
export function readTenants(header: string | undefined, tenancy: Tenancy): string[] {
  if (!tenancy.enabled) return [SINGLE_TENANT];
  if (header === undefined || header === '') {
    throw new VivaceError(
      'unauthorized',
      'no-org-id',
      'no org id\nset the X-Scope-OrgID header to the tenant to read from',
    );
  }
  const tenants = [...new Set(header.split('|').map(checkTenant))].sort();
  if (tenants.length > 1 && !tenancy.multiTenantQueries) {
    throw new VivaceError(
      'invalid',
      'multi-tenant-queries-disabled',
      'multi-tenant queries are disabled\nname one tenant in the X-Scope-OrgID header',
    );
  }
  if (tenants.length > MAX_TENANTS) {
    throw new VivaceError(
      'invalid',
      'too-many-tenants',
      `too many tenants in one request: max ${MAX_TENANTS}, received ${tenants.length}`,
    );
  }
  return tenants;
}
