import { utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteSet } from './byte-set.ts';
import { sortedTexts, ValueSet } from './value-set.ts';

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

describe('a value set', () => {
  test('has each value once, however it came, sorted by type and then value', () => {
    const values = new ValueSet();
    values.addEntry('string', utf8Encode('b'));
    values.addEntry('bool', Uint8Array.of(1));
    for (const number of [10, 9, -0, 0, Number.NaN]) values.addEntry('double', double(number));
    values.add({
      type: 'array',
      values: [
        { type: 'string', value: 'b' },
        { type: 'string', value: 'a' },
        { type: 'int', value: 10n },
        { type: 'int', value: 9n },
        { type: 'float', value: Number.NaN },
        { type: 'nil' },
        { type: 'other', text: '{}' },
        { type: 'array', values: [{ type: 'int', value: 1n }] },
      ],
    });
    expect(values.sorted().map((value) => ('value' in value ? value.value : undefined))).toEqual([
      true,
      0,
      9,
      10,
      Number.NaN,
      9n,
      10n,
      'a',
      'b',
    ]);
    expect(values.truncated).toBe(false);
  });

  test('takes no more than its bytes, and says so', () => {
    const values = new ValueSet(100);
    for (let i = 0; i < 1000; i++) values.addEntry('string', utf8Encode(`value ${i % 5}`));
    expect(values.sorted()).toHaveLength(5);
    expect(values.truncated).toBe(false);
    for (let i = 0; i < 1000; i++) values.add({ type: 'string', value: `another ${i}` });
    expect(values.truncated).toBe(true);
    expect(values.sorted().length).toBeLessThan(10);
  });
});

test('texts are in the order of their bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
      const expected = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(sortedTexts(texts)).toEqual(expected);
    }),
  );
  expect(sortedTexts(['\u{10000}', '\uffff'])).toEqual(['\uffff', '\u{10000}']);
});

test('a byte set has what was added, once, in order of first appearance', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 200 }), (entries) => {
      const set = new ByteSet();
      const seen = new Set<string>();
      for (const entry of entries) {
        const text = entry.join();
        expect(set.add(Uint8Array.of(9, ...entry, 9), 1, 1 + entry.length)).toBe(!seen.has(text));
        seen.add(text);
      }
      expect(Array.from({ length: set.count }, (_, i) => set.entry(i).join())).toEqual([...seen]);
    }),
  );
});
