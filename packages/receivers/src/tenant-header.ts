import { checkTenant, SINGLE_TENANT, VivaceError } from '@vivace/kernel';

export const TENANT_HEADER = 'x-scope-orgid';

/**
 * The tenant a write is for. Without multi-tenancy the header is not looked at. Throws `unauthorized` if it is
 * missing, `invalid` if it is no tenant or names several, which only reads may do.
 */
export function writeTenant(header: string | undefined, multitenancy: boolean): string {
  if (!multitenancy) return SINGLE_TENANT;
  if (header === undefined || header === '') {
    throw new VivaceError('unauthorized', 'tenant-missing', 'no org id: send the tenant in the header X-Scope-OrgID');
  }
  if (header.includes('|')) {
    throw new VivaceError('invalid', 'tenant-several', 'multiple org IDs present: a write is for one tenant');
  }
  return checkTenant(header);
}
