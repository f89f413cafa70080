import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockKey, decodeTenant, encodeTenant, pageKey, parseBlockKey, parsePageKey, rootKey } from './paths.ts';

const tenants = fc.stringMatching(/^[A-Za-z0-9!\-_.*'()]{1,150}$/).filter((name) => name !== '.' && name !== '..');
const id = '0199c3f2-7a00-7abc-8def-0123456789ab';

describe('a tenant in a key', () => {
  test('simple names are readable', () => {
    expect(encodeTenant('team-a_1')).toBe('team-a_1');
    expect(encodeTenant('Team.A')).toBe('=54eam=2e=41');
    expect(rootKey('single-tenant')).toBe('tenants/single-tenant/root');
  });

  test('every name comes back, in a name of a file that any file system takes', () => {
    fc.assert(
      fc.property(tenants, (tenant) => {
        const encoded = encodeTenant(tenant);
        expect(encoded).toMatch(/^[a-z0-9=_-]{1,255}$/);
        expect(decodeTenant(encoded)).toBe(tenant);
      }),
    );
  });

  test('names that differ only in case stay apart where case does not count', () => {
    fc.assert(
      fc.property(tenants, (tenant) => {
        const other = tenant.toLowerCase();
        if (other !== tenant) expect(encodeTenant(tenant).toLowerCase()).not.toBe(encodeTenant(other).toLowerCase());
      }),
    );
  });

  test('a long name without plain letters fits too', () => {
    const long = 'X'.repeat(150);
    expect(encodeTenant(long).length).toBeLessThan(256);
    expect(decodeTenant(encodeTenant(long))).toBe(long);
  });

  test('no name is a device of Windows', () => {
    expect(encodeTenant('nul')).toBe('=6eul');
    expect(decodeTenant('=6eul')).toBe('nul');
  });

  test.each(['..', '.', '', 'a/b', 'a b', 'ü', 'x'.repeat(151)])('%j is refused', (tenant) => {
    expect(() => encodeTenant(tenant)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test.each(['..', 'A', '=41=', '=zz', 'nul', '==', '=61', 'a.b', `==${'a'.repeat(20)}`])(
    'the key part %j names no tenant',
    (part) => {
      expect(() => decodeTenant(part)).toThrow(expect.objectContaining({ kind: 'data', code: 'tenant-key' }));
    },
  );
});

test('keys of blocks and pages are taken apart as they were made', () => {
  expect(blockKey('one', id, 'spans')).toBe(`tenants/one/blocks/ab/${id}/spans`);
  expect(parseBlockKey('one', blockKey('one', id, 'spans'))).toEqual({ id, object: 'spans' });
  expect(parsePageKey('one', pageKey('one', id))).toBe(id);
});

test.each([`ac/${id}/spans`, `ab/${id}`, `ab/${id}/spans/more`, `ab/x/spans`, `ab/${id.toUpperCase()}/spans`])(
  'the key %s is not of a block',
  (rest) => {
    expect(parseBlockKey('one', `tenants/one/blocks/${rest}`)).toBeUndefined();
  },
);
