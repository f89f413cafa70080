import { expect, test } from 'vitest';
import { readOverrides } from './overrides.ts';

const HOUR = 3_600_000;
const read = (text: string) => readOverrides('overrides.yaml', text);

test('tenants have a retention and rules of their own, and the others what is under *', () => {
  const { tenants, others } = read(`
overrides:
  shop:
    retention: 7d
    retention_rules:
      - filter: '{ status = error }'
        keep: 30d
      - { filter: '{ span.http.target = "/health" }', keep: 1h }
  Idle:
  "*":
    retention: 0
`);
  expect(tenants.get('shop')).toEqual({
    retentionMs: 168 * HOUR,
    retentionRules: [
      { filter: '{ status = error }', keepMs: 720 * HOUR, where: 'overrides.yaml:6' },
      { filter: '{ span.http.target = "/health" }', keepMs: HOUR, where: 'overrides.yaml:8' },
    ],
  });
  expect(tenants.get('Idle')).toEqual({ retentionMs: undefined, retentionRules: [] });
  expect(others).toEqual({ retentionMs: 0, retentionRules: [] });
});

test('an empty file overrides nothing', () => {
  for (const text of ['', 'overrides:', '# later\n']) expect(read(text).tenants.size).toBe(0);
});

test.each([
  ['override:\n  a:', "overrides.yaml:1: unknown key 'override' in the file: did you mean 'overrides'?"],
  ['overrides:\n  a:\n    retantion: 7d', "unknown key 'retantion' in overrides.yaml:2: a: did you mean 'retention'?"],
  ['overrides:\n  a:\n    retention: soon', 'overrides.yaml:3: retention must be a duration of whole seconds'],
  ['overrides:\n  a:\n    retention: 5m', '1h to 87600h, or 0 for ever'],
  ['overrides:\n  a:\n    retention: 1.0005h', 'whole seconds'],
  ['overrides:\n  a:\n    retention: 7', 'must be a duration'],
  ['overrides:\n  a/b:\n    retention: 7d', "overrides.yaml:2: tenant ID 'a/b' contains unsupported character '/'"],
  ['overrides:\n  a:\n    retention_rules:\n      - keep: 7d', 'overrides.yaml:4: a rule needs a filter'],
  ['overrides:\n  a:\n    retention_rules:\n      - filter: "{}"', 'keep must be a duration'],
  ['overrides:\n  a:\n    retention_rules: { filter: a }', 'must be a list'],
  ['overrides: [a]', 'overrides must hold tenants by name'],
  ['overrides:\n  a: [', 'overrides.yaml:2'],
  ['overrides:\n  a: 1\n  a: 2', 'overrides.yaml:3'],
])('%j is refused, with its place', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

test('rules are few', () => {
  const rules = (count: number) =>
    `overrides:\n  a:\n    retention_rules:\n${"      - { filter: '{}', keep: 7d }\n".repeat(count)}`;
  expect(read(rules(16)).tenants.get('a')?.retentionRules).toHaveLength(16);
  expect(() => read(rules(17))).toThrow('more than 16');
});
