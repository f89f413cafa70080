import { readFileSync } from 'node:fs';
import {
  bytesToHex,
  concatBytes,
  crc32,
  hexToBytes,
  isKind,
  seededRandom,
  systemClock,
  utf8Decode,
  utf8Encode,
} from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeFooter,
  encodeTrailer,
  footerLength,
  parseLeaseKey,
  parseSegmentKey,
  type Section,
  segmentKey,
} from './bucket-layout.ts';
import { decodeLease, encodeLease, type Lease } from './bucket-lease.ts';
import { openBucketLog } from './bucket-log.ts';
import { encodeSeal, encodeSegment } from './bucket-segment.ts';
import { segmentHeaderCrc } from './layout.ts';
import { collectRecords, readSegmentObject } from './testing.ts';

/* Bytes of a bucket are anybody's: whatever is not right is a `data` error, never a hang, never a wrong record. */

const AT = { stream: '01890a5d-ac96-774b-bcce-b302099a8057', segment: 7 };
const KEY = segmentKey(AT);
const NONCE = hexToBytes('000102030405060708090a0b0c0d0e0f');

const encoded = async (tenants: Record<string, readonly Uint8Array[]>, at = AT) =>
  concatBytes(await encodeSegment(at, NONCE, new Map(Object.entries(tenants))));

const sample = () =>
  encoded({
    shop: [utf8Encode('one'), new Uint8Array(0), utf8Encode('a long text that compresses '.repeat(40))],
    Shop: [utf8Encode('two')],
  });

const problemOf = (bytes: Uint8Array) => {
  try {
    readSegmentObject(KEY, bytes);
  } catch (error) {
    return error;
  }
  return undefined;
};

test('a segment is read as it was written, whatever the tenants and records', async () => {
  const records = fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 8 });
  const tenants = fc.dictionary(fc.stringMatching(/^[a-zA-Z0-9_]{1,20}$/), records, { minKeys: 1, maxKeys: 6 });
  await fc.assert(
    fc.asyncProperty(tenants, async (input) => {
      const found = readSegmentObject(KEY, await encoded(input)) ?? [];
      const expected = Object.entries(input).flatMap(([tenant, list]) => list.map((bytes) => ({ tenant, bytes })));
      expect(found.map(({ tenant, bytes }) => [tenant, bytesToHex(bytes)])).toEqual(
        expected.map(({ tenant, bytes }) => [tenant, bytesToHex(bytes)]),
      );
    }),
    { numRuns: 200 },
  );
});

test('the bytes of a segment, a seal and a lease stay what they are', async () => {
  const golden = (name: string) => new Uint8Array(readFileSync(new URL(`./testing/golden/${name}`, import.meta.url)));
  const segment = readSegmentObject(KEY, golden('bucket-segment-1.bin'));
  expect(segment?.map(({ tenant, bytes }) => [tenant, utf8Decode(bytes).length])).toEqual([
    ['shop', 3],
    ['shop', 0],
    ['shop', 1120],
    ['Shop', 3],
  ]);
  expect(readSegmentObject(KEY, golden('bucket-seal-1.bin'))).toBe(undefined);
  expect(encodeSeal(AT, NONCE)).toEqual(golden('bucket-seal-1.bin'));
  expect(decodeLease(golden('bucket-lease-1.bin'))).toEqual(LEASE);
  expect(utf8Decode(encodeLease(LEASE))).toBe(utf8Decode(golden('bucket-lease-1.bin')));
});

const LEASE: Lease = {
  instance: 'pod-0',
  address: '10.0.0.1:3200',
  writer: '000102030405060708090a0b0c0d0e0f',
  beat: 12,
  dropped: 3,
  released: false,
};

describe('a segment', () => {
  test('with any byte changed or cut off is damaged', async () => {
    const bytes = await sample();
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      expect(isKind(problemOf(flipped), 'data'), `byte ${at}`).toBe(true);
      expect(isKind(problemOf(bytes.subarray(0, at)), 'data'), `cut to ${at}`).toBe(true);
      expect(isKind(problemOf(bytes.subarray(at + 1)), 'data'), `without the first ${at + 1}`).toBe(true);
    }
  });

  test('in the place of another is damaged', async () => {
    const bytes = await sample();
    for (const at of [
      { ...AT, segment: 8 },
      { ...AT, stream: '01890a5d-ac96-774b-bcce-b302099a8058' },
    ]) {
      expect(() => readSegmentObject(segmentKey(at), bytes)).toThrow('the object is segment 7');
    }
  });

  /** An object whose checksums are right, and whose footer says what it likes. */
  const forged = (stored: Uint8Array, section: Partial<Section>, extra: Partial<Section>[] = []): Uint8Array => {
    const base = { tenant: 'shop', offset: 0, length: stored.length, rawLength: stored.length, records: 1 };
    const described = [section, ...extra].map((change) => ({ ...base, ...change, crc: 0 }));
    const trailer = encodeTrailer(AT, NONCE, footerLength(described));
    const seed = segmentHeaderCrc(trailer);
    const sections = described.map((each) => ({
      ...each,
      crc: crc32(stored.subarray(each.offset, each.offset + each.length), seed),
    }));
    return concatBytes([stored, encodeFooter(sections, seed), trailer]);
  };

  test.each<[string, Partial<Section>, Partial<Section>[]?]>([
    ['that inflates to gigabytes', { rawLength: 2 ** 31 }],
    ['that claims to inflate to what it does not', { rawLength: 200_000_000 }],
    ['with more records than bytes', { records: 1_000_000 }],
    ['with no record', { records: 0 }],
    ['with fewer records than it holds', { records: 1, rawLength: 8 }],
    ['with a section outside', { offset: 8 }],
    ['with sections that overlap', {}, [{ tenant: 'b' }]],
    ['with a tenant twice', { length: 4, rawLength: 4 }, [{ offset: 4, length: 4, rawLength: 4 }]],
    ['with a tenant without a name', { tenant: '' }],
    ['with a tenant that is a path', { tenant: '../shop' }],
    ['with a tenant of a thousand bytes', { tenant: 'x'.repeat(1000) }],
  ])('%s is damaged', (_what, section, extra) => {
    // Two records of no bytes.
    const error = problemOf(forged(new Uint8Array(8), section, extra));
    expect(isKind(error, 'data'), String(error)).toBe(true);
  });

  test('with a record that reaches beyond its section is damaged', () => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, 5, true);
    expect(isKind(problemOf(forged(bytes, { records: 1 })), 'data')).toBe(true);
  });
});

describe('a lease', () => {
  test('with any change is a lease or a data error', () => {
    const bytes = encodeLease(LEASE);
    const random = seededRandom(3);
    for (let i = 0; i < 5000; i++) {
      const changed = bytes.slice(0, random.u32() % 10 === 0 ? random.u32() % bytes.length : bytes.length);
      if (changed.length > 0) changed[random.u32() % changed.length] = random.u32() & 255;
      try {
        const { dropped, writer } = decodeLease(changed);
        expect(Number.isSafeInteger(dropped) && dropped >= 0).toBe(true);
        expect(writer).toMatch(/^[0-9a-f]{32}$/);
      } catch (error) {
        expect(isKind(error, 'data'), String(error)).toBe(true);
      }
    }
  });

  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a later version', '{"version":2}'],
    ['dropped beyond numbers', JSON.stringify({ version: 1, ...LEASE, dropped: 1e300 })],
    ['dropped below 0', JSON.stringify({ version: 1, ...LEASE, dropped: -1 })],
    ['a writer of another form', JSON.stringify({ version: 1, ...LEASE, writer: '../../root' })],
    ['too long', JSON.stringify({ version: 1, ...LEASE, address: 'x'.repeat(10_000) })],
  ])('that is %s is a data error', (_what, text) => {
    expect(() => decodeLease(utf8Encode(text))).toThrow('lease');
  });
});

test('keys that the log does not make are none of its', () => {
  const good = segmentKey(AT);
  expect(parseSegmentKey(good)).toEqual(AT);
  const { stream } = AT;
  const bad = [
    `${good}0`,
    `${good.slice(0, -12)}000000000000`,
    `x${good}`,
    good.toUpperCase(),
    `wal/00/${stream}/000000000001`,
  ];
  for (const key of bad) expect(parseSegmentKey(key), key).toBe(undefined);
  expect(parseLeaseKey(`streams/${stream}`)).toBe(stream);
  for (const key of [`streams/${stream}/x`, 'streams/', `streams/${stream.toUpperCase()}`, stream]) {
    expect(parseLeaseKey(key), key).toBe(undefined);
  }
});

test('damage in the bucket is reported where a stream is taken over, and what is around it is read', async () => {
  const store = createMemoryStore();
  const open = () => openBucketLog({ store, clock: systemClock, random: seededRandom(random++), instance: 'a' });
  let random = 1;
  const first = await open();
  const { stream } = first.position;
  for (const text of ['1', '2', '3', '4']) {
    await first.append('a', utf8Encode(text)).durable;
    first.rotate();
  }
  await first.stop();
  await store.put(segmentKey({ stream, segment: 2 }), [new Uint8Array(80)]);
  await store.put(segmentKey({ stream, segment: 3 }), [new Uint8Array(0)]);
  // Its footer is right, and the section before it is not.
  const fourth = (await store.get(segmentKey({ stream, segment: 4 }))).bytes;
  fourth[0] = (fourth[0] as number) ^ 1;
  await store.put(segmentKey({ stream, segment: 4 }), [fourth]);
  await store.put('wal/notes.txt', [utf8Encode('?')]);
  const second = await open();
  const { segments, damage } = await second.seal(stream, new AbortController().signal);
  expect(segments.map(({ segment, tenants }) => [segment, tenants])).toEqual([
    [1, ['a']],
    [2, []],
    [3, []],
    [4, ['a']],
  ]);
  expect(damage.map(({ segment, bytes, cut }) => [segment, bytes, cut])).toEqual([
    [2, 80, false],
    [3, 0, false],
  ]);
  expect((await collectRecords(second, { stream, segment: 1 })).length).toBe(1);
  for (const segment of [2, 3, 4]) {
    const error = await collectRecords(second, { stream, segment }).catch((reason: unknown) => reason);
    expect(isKind(error, 'data'), `segment ${segment}: ${String(error)}`).toBe(true);
  }
  await second.drop({ stream, segment: 4 });
  expect(second.streams().length).toBe(1);
  await second.stop();
});
