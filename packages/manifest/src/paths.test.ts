import { seededRandom, uuidV7 } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  blockKey,
  decodeTenant,
  encodeTenant,
  isImmutableKey,
  pageKey,
  parseBlockKey,
  parsePageKey,
  rootKey,
  segmentKey,
} from './paths.ts';

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!-_.*'()";
const id = uuidV7(1_760_000_000_000, seededRandom(3));

const tenant = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...LETTERS.split('')), minLength: 1, maxLength: 150 }),
    // Ids that differ in little, so that pairs of them come close.
    fc.string({ unit: fc.constantFrom('a', 'A', '.', '6', '1'), minLength: 1, maxLength: 4 }),
    fc.string({ unit: fc.constantFrom('A', '.'), minLength: 60, maxLength: 150 }),
    fc.constantFrom('con', 'CON', 'Nul', 'com1', 'lpt9', 'com10', 'aux.txt', '...', '-', '_'),
  )
  .filter((text) => text !== '.' && text !== '..');

test('a tenant is read back from what stands for it in keys', () => {
  fc.assert(
    fc.property(tenant, (text) => decodeTenant(encodeTenant(text)) === text),
    { numRuns: 2000 },
  );
});

test('two tenants never share a key, whatever a file system makes of upper and lower case', () => {
  fc.assert(
    fc.property(tenant, tenant, (a, b) => {
      const folded = [a, b].map((text) => encodeTenant(text).toLowerCase());
      expect(folded[0] === folded[1]).toBe(a === b);
    }),
    { numRuns: 2000 },
  );
  expect(encodeTenant('team') === encodeTenant('Team').toLowerCase()).toBe(false);
});

test('what stands for a tenant is a plain name for any file system', () => {
  fc.assert(
    fc.property(tenant, (text) => {
      const encoded = encodeTenant(text);
      expect(encoded).toMatch(/^[a-z0-9_=-]{1,255}$/);
      expect(encoded).not.toMatch(/^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/);
    }),
    { numRuns: 2000 },
  );
});

test('tenants are written as the format says', () => {
  const short = ['team-a_1', 'Team.A', 'con', 'CON', '...', "!*'()"].map(encodeTenant);
  expect(short).toEqual(['team-a_1', '=54eam=2e=41', '=63on', '=43=4f=4e', '=2e=2e=2e', '=21=2a=27=28=29']);
  // 66 bytes of three each and two of one are 200; one more is base32: 67 * 8 bits are 108 letters.
  expect(encodeTenant(`${'A'.repeat(66)}aa`)).toBe(`${'=41'.repeat(66)}aa`);
  expect(encodeTenant('A'.repeat(67))).toMatch(/^==ifaucqkbifaucqkb[a-z2-7]{92}$/);
  expect(encodeTenant('A'.repeat(150))).toHaveLength(242);
});

test('what is no tenant id has no key', () => {
  for (const text of ['', '.', '..', 'a/b', 'a b', 'é', 'a'.repeat(151), 'a=b']) {
    expect(() => encodeTenant(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  }
});

test('names that no tenant is written as are damage', () => {
  const others = ['', 'Team', '=41=4', '=4', '=zz', '=4A', '=61', 'con', '=2e', '=2e=2e', 'a.b', '==', '==ifa', '==a!'];
  // Base32 of a name that needs none, and one with letters of the wrong case.
  const long = encodeTenant('A'.repeat(67));
  for (const text of [...others, '==mfrgg', long.toUpperCase(), `${long}a`, long.slice(0, -1), `${'=41'.repeat(67)}`]) {
    expect(() => decodeTenant(text), text).toThrow(expect.objectContaining({ kind: 'data', code: 'tenant-key' }));
  }
});

test('any text is the form of a tenant or damage', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(==)?[a-z0-9=]{0,250}$/)), (text) => {
      let tenantId: string;
      try {
        tenantId = decodeTenant(text);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'data', code: 'tenant-key' });
        return;
      }
      expect(encodeTenant(tenantId)).toBe(text);
    }),
    { numRuns: 1000 },
  );
});

test('keys are as the format says, and blocks spread by the random end of their ids', () => {
  expect(rootKey('Team')).toBe('tenants/=54eam/root');
  expect(pageKey('Team', id)).toBe(`tenants/=54eam/pages/${id}`);
  expect(blockKey('Team', id, 'spans.parquet')).toBe(`tenants/=54eam/blocks/${id.slice(-2)}/${id}/spans.parquet`);
});

test('only keys that would be made are taken for blocks and pages', () => {
  const key = blockKey('team', id, 'index');
  expect(parseBlockKey('team', key)).toEqual({ id, object: 'index' });
  const prefix = 'tenants/team/blocks/';
  const otherDigits = id.endsWith('00') ? '01' : '00';
  const foreign = [`${prefix}${otherDigits}/${id}/index`, `${key}/more`, `${prefix}${id.slice(-2)}/${id}`];
  foreign.push(`${prefix}readme`, key.toUpperCase(), key.replace(id, id.toUpperCase()), key.replace(id, `${id}0`));
  // A version 4 has no time.
  foreign.push(key.replace(id, `${id.slice(0, 14)}4${id.slice(15)}`));
  for (const text of foreign) expect(parseBlockKey('team', text), text).toBeUndefined();

  expect(parsePageKey('team', pageKey('team', id))).toBe(id);
  for (const text of ['tenants/team/pages/readme', `tenants/team/pages/${id}/x`, pageKey('team', id.toUpperCase())]) {
    expect(parsePageKey('team', text), text).toBeUndefined();
  }
});

test('what blocks and the trace index are made of never changes, and nothing else is so', () => {
  const block = blockKey('Team', id, 'spans.parquet');
  const segment = segmentKey('Team', id);
  expect([block, segment].every(isImmutableKey)).toBe(true);
  const others = [rootKey('Team'), pageKey('Team', id), `streams/${id}`, `wal/${id}/0`, `claims/${id}`, 'root', ''];
  others.push(`${block}/more`, `${segment}/more`, `x${block}`, block.slice(0, -'/spans.parquet'.length));
  others.push(block.replace(id, 'readme'), segment.replace('/traces/', '/claims/'), segment.replace(id, `${id}0`));
  for (const key of others) expect(isImmutableKey(key), key).toBe(false);
});
