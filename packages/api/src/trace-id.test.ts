import { bytesToHex } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTraceId } from './trace-id.ts';

test('ids of any length up to 32 digits are padded on the left', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-fA-F]{1,32}$/), (text) => {
      expect(bytesToHex(parseTraceId(text))).toBe(text.toLowerCase().padStart(32, '0'));
    }),
  );
});

test('everything else is refused as invalid', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      if (/^[0-9a-fA-F]{1,32}$/.test(text)) return;
      expect(() => parseTraceId(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    }),
  );
});

test('the first wrong character is named with its place', () => {
  expect(() => parseTraceId('00😀')).toThrow("invalid character '😀' at position 3");
});
