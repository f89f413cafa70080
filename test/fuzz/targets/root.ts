import { isDeepStrictEqual } from 'node:util';
import { concatBytes, crc32, isKind, type Random, seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry, Grave } from '@vivace/manifest';
import {
  decodeEntryPage,
  decodeGravePage,
  decodeRoot,
  emptyRoot,
  encodeEntryPage,
  encodeGravePage,
  encodeRoot,
} from '@vivace/manifest/testing';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { damageInPlace, mutateBytes } from '../mutate-bytes.ts';

const TENANT = 'tenant-a';
const STAMP_MS = 1_760_000_000_000;
/** Magic, version, kind and length; the checksum at the end. */
const HEADER_BYTES = 12;
const TRAILER_BYTES = 4;

type Decode = (bytes: Uint8Array) => () => [again: Uint8Array, sameAs: (bytes: Uint8Array) => boolean];

/**
 * The files of the manifest: a `data` error, or what can be written again and then reads as the same. Most
 * inputs have a right checksum and length. The first byte of an input says which kind of file it is.
 */
const KINDS: readonly Decode[] = [
  (bytes) => {
    const root = decodeRoot(bytes, TENANT, STAMP_MS);
    return () => [encodeRoot(root), (again) => isDeepStrictEqual(decodeRoot(again, TENANT, STAMP_MS), root)];
  },
  (bytes) => {
    const entries = decodeEntryPage(bytes, TENANT);
    return () => [
      encodeEntryPage(TENANT, entries),
      (again) => {
        const read = decodeEntryPage(again, TENANT);
        // Entries of one day are joined.
        const sorted = (list: BlockEntry[]) => list.map((entry) => JSON.stringify(entry, bigintText)).toSorted();
        return isDeepStrictEqual(sorted(read), sorted(entries));
      },
    ];
  },
  (bytes) => {
    const graves = decodeGravePage(bytes, TENANT, STAMP_MS);
    return () => [
      encodeGravePage(TENANT, graves),
      (again) => isDeepStrictEqual(decodeGravePage(again, TENANT, STAMP_MS), graves),
    ];
  },
];

export function rootTarget(seed: number): FuzzTarget {
  const random = seededRandom(seed);
  const seeds = [0, 1, 2].map((kind) => Array.from({ length: 12 }, (_, size) => file(random, kind, size)));
  return {
    keepBytes: 1,
    make(inputRandom) {
      const kind = below(inputRandom, KINDS.length);
      const bytes = pick(inputRandom, seeds[kind] as Uint8Array[]);
      const other = pick(inputRandom, pick(inputRandom, seeds));
      if (oneIn(inputRandom, 5)) return concatBytes([Uint8Array.of(kind), mutateBytes(inputRandom, bytes, other)]);
      const body = bytes.subarray(HEADER_BYTES, bytes.length - TRAILER_BYTES);
      const changed = oneIn(inputRandom, 2) ? damageInPlace(inputRandom, body) : mutateBytes(inputRandom, body, other);
      return concatBytes([Uint8Array.of(kind), sealed(bytes.subarray(0, HEADER_BYTES), changed)]);
    },
    check(input) {
      const decode = KINDS[input[0] as number] as Decode;
      let encodeAgain: ReturnType<Decode>;
      try {
        encodeAgain = decode(input.subarray(1));
      } catch (error) {
        if (!isKind(error, 'data')) throw error;
        return;
      }
      const [again, sameAs] = encodeAgain();
      expectThat(sameAs(again), 'what was read, written again, reads as something else');
    },
  };
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

/** A file with the length and the checksum that its body needs. */
function sealed(header: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = concatBytes([header, body, new Uint8Array(TRAILER_BYTES)]);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, bytes.length, true);
  const end = bytes.length - TRAILER_BYTES;
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

function file(random: Random, kind: number, size: number): Uint8Array {
  const entries = Array.from({ length: size }, () => entry(random));
  const graves = Array.from({ length: size }, () => grave(random));
  if (kind === 1) return encodeEntryPage(TENANT, entries).slice();
  if (kind === 2) return encodeGravePage(TENANT, graves).slice();
  const root = emptyRoot(TENANT);
  root.version = 1 + size * 100;
  root.floorMs = STAMP_MS;
  root.commits = Array.from({ length: Math.min(root.version, 1 + size * 5) }, () => hex(random));
  root.covered = new Map(Array.from({ length: size }, () => [id(random), below(random, 1000)]));
  root.pages = entries.map(({ id: page, minStart, maxEnd }) => {
    return { id: page, day: 20_000, lastDay: 20_001, entries: 7, bytes: 1000, minStart, maxEnd };
  });
  root.gravePages = entries.map(({ id: page }) => ({ id: page, graves: 3, stampMs: STAMP_MS }));
  root.graves = graves;
  root.added = entries.slice(1);
  root.removed = new Set(Array.from({ length: size }, () => id(random)));
  return encodeRoot(root).slice();
}

function hex(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex');
}

function id(random: Random): string {
  return uuidV7(STAMP_MS, random);
}

function entry(random: Random): BlockEntry {
  const single = oneIn(random, 2);
  const place = (object: string) => ({ object: single ? 'block' : object, offset: below(random, 1e9), length: 1000 });
  const minStart = BigInt(STAMP_MS) * 1_000_000n + BigInt(random.u32()) * 100_000n;
  return {
    id: id(random),
    sections: {
      spans: place('spans.parquet'),
      events: place('events.parquet'),
      resources: place('resources.parquet'),
      traces: place('traces.parquet'),
      filter: place('filter'),
      index: place('index'),
    },
    rows: random.u32(),
    traces: below(random, 1000),
    minStart,
    maxEnd: minStart + BigInt(random.u32()),
    commitTimeMs: STAMP_MS,
    level: below(random, 3),
    retentionClass: oneIn(random, 40) ? 'é'.repeat(512) : pick(random, ['', 'long']),
    filterBytes: 32,
    applied: 0,
    ...(oneIn(random, 3) && { misdated: true }),
  };
}

function grave(random: Random): Grave {
  const removedMs = oneIn(random, 2) ? 0 : STAMP_MS - 1;
  if (oneIn(random, 3)) return { kind: 'page', id: id(random), objects: [], removedMs };
  return { kind: 'block', id: id(random), objects: ['spans.parquet', 'index'], removedMs };
}
