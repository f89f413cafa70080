import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import { seededRandom, systemClock, utf8Encode, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';

export const TENANT = 'single-tenant';
const never = new AbortController().signal;
const random = seededRandom(77);
const startNs = BigInt(systemClock.nowMs() - 600_000) * 1_000_000n;
let made = 0;

/** Spans of a few services, in traces of their own; `seed` makes others. */
export function shopSpans(count: number, seed: number): TestSpan[] {
  const of = seededRandom(seed);
  return Array.from({ length: count }, (_, i): TestSpan => {
    const start = startNs + BigInt(of.u32());
    return {
      traceId: `${seed.toString(16).padStart(4, '0')}${(i % 40).toString(16).padStart(4, 'a')}`.padEnd(32, 'c'),
      spanId: `${seed}${i + 1}`.padStart(16, '0'),
      ...(i >= 40 && { parentId: `${seed}${(i % 40) + 1}`.padStart(16, '0') }),
      start,
      end: start + BigInt(of.u32() % 1_000_000),
      name: `operation ${i % 5}`,
      status: i % 9 === 0 ? 2 : 0,
      resource: utf8Encode(`\x0a\x17\x0a\x15\x0a\x0cservice.name\x12\x05\x0a\x03s-${i % 4}`),
      attributes: [
        ['order.id', `o-${seed}-${i}`],
        ['size', BigInt(i)],
      ],
      events: i % 7 === 0 ? [{ name: 'retry', time: start, attributes: [['n', BigInt(i)]] }] : [],
    };
  });
}

/** Puts the objects of a block; `entry` is what a commit adds. */
export async function putBlock(
  store: ObjectStore,
  spans: readonly TestSpan[],
  { single = true, level = 0 }: { single?: boolean; level?: number } = {},
): Promise<BlockEntry> {
  const set = buildSet(spans);
  const block = encodeBlock(set, blockOrder(set), { rowGroupRows: 200 });
  const { objects, sections } = layoutObjects(block, single ? undefined : 0);
  // Later blocks have later ids, however fast they are made.
  const id = uuidV7(systemClock.nowMs() - 60_000 + ++made, random);
  for (const { name, parts } of objects) await store.put(blockKey(TENANT, id, name), parts);
  const { rows, traces, minStart, maxEnd, filterBytes } = block;
  const commitTimeMs = systemClock.nowMs();
  return {
    id,
    sections,
    rows,
    traces,
    minStart,
    maxEnd,
    filterBytes,
    commitTimeMs,
    level,
    retentionClass: '',
    applied: 0,
  };
}

/** Makes blocks live, and others not any more. */
export async function commit(
  store: ObjectStore,
  add: readonly BlockEntry[],
  remove: readonly string[] = [],
): Promise<void> {
  const manifest = openManifest({ store, tenant: TENANT, clock: systemClock, random });
  const result = await manifest.commit({ add, remove, cover: [] }, never);
  if (!result.committed) throw new Error(result.reason);
}

/** Live blocks, by id. */
export async function liveEntries(store: ObjectStore): Promise<BlockEntry[]> {
  const { live } = await openManifest({ store, tenant: TENANT, clock: systemClock, random }).inspect(never);
  return live.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
