import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { bytesToHex, hexToBytes, utf8Encode } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { createBlockCache } from './cache.ts';
import { encodeBlock } from './encode-block.ts';
import { type BlockPlace, openBlock } from './open-block.ts';
import { allRows, blockOrder, buildSet, plainSpans, storeBlock, type TestSpan } from './testing.ts';

// Blocks of every version stay readable for ever. The files under golden/ are never written again; a new version
// gets its own, made by running this test with VIVACE_WRITE_GOLDEN=1.

const directory = (version: number): URL => new URL(`../golden/v${version}/`, import.meta.url);

const spans: TestSpan[] = Array.from({ length: 60 }, (_, i) => ({
  traceId: i % 7 === 0 ? `${i % 3}`.padStart(32, '0') : `${i % 5}`.padStart(32, 'ab'),
  spanId: `${i + 1}`.padStart(16, '0'),
  ...(i > 10 && { parentId: `${(i % 10) + 1}`.padStart(16, '0') }),
  start: 1_760_000_000_000_000_000n + BigInt(i) * 1_234_567n,
  end: i === 13 ? 7n : 1_760_000_000_500_000_000n + BigInt(i) ** 5n,
  name: `operation ${i % 4}`,
  kind: i % 6,
  status: i % 3,
  flags: 0x101,
  resource: utf8Encode('\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04cart'),
  scope: utf8Encode('\x0a\x05\x0a\x03lib'),
  attributes: [
    ['method', i % 2 === 0 ? 'GET' : 'POST'],
    ['Method', `${i}`],
    ['size', BigInt(i) ** 9n],
    ['ratio', i === 3 ? Number.NaN : i / 7],
    ['ok', i % 2 === 1],
  ],
  ...(i % 8 === 0 && { statusMessage: 'failed', traceState: 'a=b', overflow: Uint8Array.of(0x50, i) }),
  events:
    i % 9 === 0 ? [{ name: 'exception', time: BigInt(i), attributes: [['n', 1n]] }, { link: 'ef'.repeat(24) }] : [],
}));

const json = (value: unknown): string =>
  `${JSON.stringify(value, (_, of) => (typeof of === 'bigint' ? `${of}` : of), 1)}\n`;

if (process.env['VIVACE_WRITE_GOLDEN'] === '1') {
  const set = buildSet(spans);
  const order = blockOrder(set);
  const { place, objects } = storeBlock(encodeBlock(set, order, { rowGroupRows: 25, pageRows: 8 }));
  mkdirSync(directory(1), { recursive: true });
  writeFileSync(new URL('block', directory(1)), objects.get('block') as Uint8Array);
  writeFileSync(new URL('place.json', directory(1)), json(place));
  writeFileSync(new URL('spans.json', directory(1)), json(plainSpans(set, order)));
}

test.each([1])('a block of version %i is read as it always was', async (version) => {
  const file = (name: string): Buffer => readFileSync(new URL(name, directory(version)));
  const place = JSON.parse(file('place.json').toString()) as BlockPlace;
  const bytes = new Uint8Array(file('block'));
  const expected = JSON.parse(file('spans.json').toString()) as { traceId: string }[];
  const cache = createBlockCache({ maxBytes: 1 << 20 });
  const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
  const reader = openBlock({ place, readRange, cache });
  const read: unknown[] = [];
  for (const traceId of new Set(expected.map((span) => span.traceId))) {
    const set = await reader.readTrace(hexToBytes(traceId));
    if (set === undefined) throw new Error(`trace ${traceId} is missing`);
    expect(bytesToHex(set.traceIds.slice(0, 16))).toBe(traceId);
    read.push(...plainSpans(set, allRows(set)));
  }
  expect(JSON.parse(json(read))).toEqual(expected);
  const { attributes } = await reader.readSummary();
  expect(attributes.map(({ scope, key, total }) => `${scope} ${key} ${total}`)).toMatchInlineSnapshot(`
    [
      "span Method 60",
      "span method 60",
      "span ok 60",
      "span ratio 60",
      "span size 60",
      "event n 7",
      "resource service.name 60",
      "intrinsic event:name 7",
      "intrinsic name 60",
    ]
  `);
});
