import { expect, test } from 'vitest';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { KIND_ROOT, ROOT_MAGIC } from './layout.ts';

test('a name that is not UTF-8 is damage: it could not be written again', () => {
  const writer = new ByteWriter();
  writer.varint(3);
  for (const byte of [0x61, 0xff, 0x62]) writer.u8(byte);
  writer.text('é'.repeat(512));
  const reader = new ByteReader(writer.finish(ROOT_MAGIC, KIND_ROOT), ROOT_MAGIC, KIND_ROOT, 'the root of a tenant');
  expect(() => reader.text()).toThrow(expect.objectContaining({ kind: 'data', code: 'manifest-damaged' }));
  expect(reader.text()).toBe('é'.repeat(512));
});
