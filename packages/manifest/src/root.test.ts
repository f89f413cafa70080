import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEntryPage, decodeGravePage, encodeEntryPage, encodeGravePage } from './page.ts';
import { decodeRoot, encodeRoot } from './root.ts';
import { sampleEntry, sampleRoot } from './testing/sample-root.ts';

const TENANT = 'Golden.1';
const root = sampleRoot(TENANT);
const entries = [sampleEntry(4), sampleEntry(7), sampleEntry(8, 1_760_100_000_000)];
const damaged = expect.objectContaining({ kind: 'data', code: 'manifest-damaged' });

const files: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ['root', encodeRoot(root), (bytes) => decodeRoot(bytes, TENANT, 5)],
  ['entries', encodeEntryPage(TENANT, entries), (bytes) => decodeEntryPage(bytes, TENANT)],
  ['graves', encodeGravePage(TENANT, root.graves), (bytes) => decodeGravePage(bytes, TENANT, 5)],
];

test('what is written comes back', () => {
  expect(decodeRoot(encodeRoot(root), TENANT, 5)).toEqual(root);
  expect(decodeEntryPage(encodeEntryPage(TENANT, entries), TENANT)).toEqual(entries);
  expect(decodeGravePage(encodeGravePage(TENANT, root.graves), TENANT, 5)).toEqual(root.graves);
});

test('any entry comes back', () => {
  const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const count = fc.maxSafeNat();
  const place = fc.record({
    object: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    offset: count,
    length: count,
  });
  const sections = fc.record({
    spans: place,
    events: place,
    resources: place,
    traces: place,
    filter: place,
    index: place,
  });
  const entry = fc.record(
    {
      id: fc.constant(sampleEntry(1).id),
      sections,
      rows: count,
      traces: count,
      minStart: u64,
      maxEnd: u64,
      commitTimeMs: count,
      level: count,
      retentionClass: fc.string({ maxLength: 50, unit: 'grapheme' }),
      filterBytes: count,
      applied: count,
      misdated: fc.constant(true),
    },
    {
      requiredKeys: [
        'id',
        'sections',
        'rows',
        'traces',
        'minStart',
        'maxEnd',
        'commitTimeMs',
        'level',
        'retentionClass',
        'filterBytes',
        'applied',
      ],
    },
  );
  fc.assert(
    fc.property(entry, (one) => {
      expect(decodeEntryPage(encodeEntryPage(TENANT, [one]), TENANT)).toEqual([one]);
    }),
  );
});

describe.each(files)('a file of %s', (name, bytes, decode) => {
  test('is the golden one, byte by byte', () => {
    const golden = new URL(`./golden/${name}.bin`, import.meta.url);
    if (process.env['VIVACE_WRITE_GOLDEN']) writeFileSync(golden, bytes);
    expect(Buffer.from(bytes).equals(readFileSync(golden))).toBe(true);
  });

  test('is damaged wherever it is cut', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decode(bytes.subarray(0, length))).toThrow(damaged);
    }
  });

  test('is damaged wherever a bit is flipped', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => decode(flipped)).toThrow(damaged);
    }
  });

  test('is damaged or a right file, never a hang, when its bytes are forged under a right checksum', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 17), fc.uint8Array({ minLength: 1, maxLength: 9 }), (at, forged) => {
        const copy = bytes.slice();
        copy.set(forged.subarray(0, copy.length - 16 - at), 12 + at);
        new DataView(copy.buffer).setUint32(copy.length - 4, crc32(copy.subarray(0, -4)), true);
        try {
          decode(copy);
        } catch (error) {
          expect(error).toEqual(damaged);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('of another tenant is damaged', () => {
    const other = {
      root: encodeRoot({ ...root, tenant: 'other' }),
      entries: encodeEntryPage('other', entries),
      graves: encodeGravePage('other', root.graves),
    }[name] as Uint8Array;
    expect(() => decode(other)).toThrow(damaged);
  });
});

test('what was buried with a root has been there since the root was put', () => {
  const fresh = { ...root, graves: root.graves.map((grave) => ({ ...grave, removedMs: 0 })) };
  const read = decodeRoot(encodeRoot(fresh), TENANT, 1234);
  expect(read.graves.map(({ removedMs }) => removedMs)).toEqual([1234, 1234]);
  expect(decodeGravePage(encodeGravePage(TENANT, fresh.graves), TENANT, 77)[0]?.removedMs).toBe(77);
});

test('a root of 256 commits and 100 blocks stays below 64 KiB', () => {
  const added = Array.from({ length: 100 }, (_, i) => sampleEntry(2 * i));
  const commits = Array.from({ length: 256 }, () => 'ab'.repeat(16));
  expect(encodeRoot({ ...root, added, commits }).length).toBeLessThan(20_000);
});
