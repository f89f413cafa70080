import { VivaceError } from './errors.ts';

/** The tenant of everything when multi-tenancy is off; Tempo's name for it. */
export const SINGLE_TENANT = 'single-tenant';

const MAX_LENGTH = 150;

/**
 * Checks a tenant id as Tempo does: letters, digits and `! - _ . * ' ( )`, at most 150 characters, not
 * `.` or `..`. Throws `invalid`.
 */
export function checkTenant(id: string): string {
  if (id.length === 0) throw new VivaceError('invalid', 'tenant-empty', 'tenant ID is empty');
  if (id.length > MAX_LENGTH) {
    throw new VivaceError('invalid', 'tenant-too-long', `tenant ID is too long: max ${MAX_LENGTH} characters`);
  }
  const bad = /[^A-Za-z0-9!\-_.*'()]/u.exec(id);
  if (bad) {
    throw new VivaceError(
      'invalid',
      'tenant-character',
      `tenant ID '${id}' contains unsupported character '${bad[0]}'`,
    );
  }
  if (id === '.' || id === '..')
    throw new VivaceError('invalid', 'tenant-name', `tenant ID is '${id}': choose another`);
  return id;
}
