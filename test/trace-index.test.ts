import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import { createSegmentBuilder, indexTenant, type SegmentBuilder } from '@vivace/indexer';
import { bytesToHex, fraction, hexToBytes, type Random, seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, entryObjects, type Manifest, openManifest, segmentKey } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { Querier } from '@vivace/querier';
import { capturingLogger } from '@vivace/telemetry/testing';
import { afterAll, describe, expect, test } from 'vitest';

// Whatever is committed, compacted, deleted, indexed and damaged in whatever order: a lookup finds every span that is in
// a live block, and none that is not.

const TENANT = 'shop';
const { signal } = new AbortController();
const heads = {
  findTrace: async () => ({ parts: [], problems: [] }),
  headViews: async () => ({ views: [], problems: [] }),
};

interface Block {
  entry: BlockEntry;
  spans: TestSpan[];
}

class Tenant {
  readonly random: Random;
  readonly store: ObjectStore = createMemoryStore({ clock: systemClock });
  readonly manifest: Manifest;
  readonly blocks: Block[] = [];
  readonly everSent: TestSpan[] = [];
  readonly #traces: string[];

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.manifest = this.open();
    this.#traces = Array.from({ length: 60 }, (_, i) =>
      // Some are of 64 bits, and some share their first eight bytes.
      i % 5 === 0
        ? `${'0'.repeat(16)}${this.hex(8)}`
        : i % 7 === 0
          ? `ab${'7'.repeat(14)}${this.hex(8)}`
          : this.hex(16),
    );
  }

  open(): Manifest {
    const { store, random } = this;
    return openManifest({ store, tenant: TENANT, clock: systemClock, random, rootMaxBytes: 8192, pageMaxBytes: 8192 });
  }

  hex(bytes: number): string {
    return bytesToHex(this.random.bytes(bytes));
  }

  below(count: number): number {
    return Math.floor(fraction(this.random) * count);
  }

  async add(): Promise<void> {
    const made: Block[] = [];
    for (let left = 1 + this.below(3); left > 0; left--) {
      const spans = Array.from({ length: 1 + this.below(6) }, (): TestSpan => {
        const start = 1_760_000_000_000_000_000n + BigInt(this.below(1e9));
        const traceId = this.#traces[this.below(this.#traces.length)] as string;
        return { traceId, spanId: this.hex(8), start, end: start + 5n };
      });
      this.everSent.push(...spans);
      made.push(await this.#store(spans));
    }
    await this.#commit(made, []);
  }

  /** Blocks become one, or two with the traces of all between them. */
  async compact(): Promise<void> {
    const old = this.blocks.filter(() => fraction(this.random) < 0.3).slice(0, 4);
    if (old.length < 2) return;
    const spans = old.flatMap((block) => block.spans);
    const parts =
      fraction(this.random) < 0.3
        ? [0, 1].map((part) => spans.filter(({ spanId }) => (spanId < '8' ? 0 : 1) === part))
        : [spans];
    const made: Block[] = [];
    for (const part of parts) if (part.length > 0) made.push(await this.#store(part));
    await this.#commit(made, old);
  }

  async expire(): Promise<void> {
    const block = this.blocks[this.below(this.blocks.length)];
    if (block !== undefined) await this.#commit([], [block]);
  }

  async damage(): Promise<void> {
    const { segments } = await this.manifest.snapshot(signal);
    const segment = segments[this.below(segments.length)];
    if (segment === undefined) return;
    const key = segmentKey(TENANT, segment.id);
    if (fraction(this.random) < 0.3) return this.store.delete(key);
    const { bytes } = await this.store.get(key).catch(() => ({ bytes: new Uint8Array(100) }));
    const at = this.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << this.below(8));
    await this.store.put(key, [bytes]);
  }

  async index(builder: SegmentBuilder): Promise<void> {
    await indexTenant({
      manifest: this.manifest,
      store: this.store,
      builder,
      random: this.random,
      logger: capturingLogger().logger,
      limits: { maxEntries: 60, maxBlocks: 6, maxTraces: 25 },
      signal,
    });
  }

  /** Every trace, and some that nobody has sent. */
  async expectRight(querier: Querier): Promise<void> {
    const live = new Set(this.blocks.flatMap(({ spans }) => spans.map(({ spanId }) => spanId)));
    for (const traceId of this.#traces) {
      const { trace, problems } = await querier.findTrace(TENANT, hexToBytes(traceId), { maxBytes: 1 << 20, signal });
      expect(problems).toEqual([]);
      for (const span of this.everSent) {
        if (span.traceId !== traceId) continue;
        expect(Buffer.from(trace).includes(Buffer.from(span.spanId, 'hex'))).toBe(live.has(span.spanId));
      }
    }
    for (let i = 0; i < 5; i++) {
      const { trace } = await querier.findTrace(TENANT, this.random.bytes(16), { maxBytes: 1 << 20, signal });
      expect(trace).toHaveLength(0);
    }
  }

  async #store(spans: TestSpan[]): Promise<Block> {
    const set = buildSet(spans);
    const { sections: _, ...facts } = encodeBlock(set, blockOrder(set));
    const { objects, sections } = layoutObjects(encodeBlock(set, blockOrder(set)));
    const id = uuidV7(await this.manifest.storeTimeMs(signal), this.random);
    for (const { name, parts } of objects) await this.store.put(blockKey(TENANT, id, name), parts);
    // Of three days.
    const commitTimeMs = systemClock.nowMs() - this.below(3) * 86_400_000;
    return { entry: { ...facts, sections, id, commitTimeMs, level: 0, retentionClass: '', applied: 0 }, spans };
  }

  async #commit(add: Block[], remove: Block[]): Promise<void> {
    const edit = { add: add.map(({ entry }) => entry), remove: remove.map(({ entry }) => entry.id), cover: [] };
    expect(await this.manifest.commit(edit, signal)).toMatchObject({ committed: true });
    for (const block of remove) this.blocks.splice(this.blocks.indexOf(block), 1);
    this.blocks.push(...add);
  }
}

function createQuerier(tenant: Tenant, manifest: Manifest): Querier {
  return new Querier({
    heads,
    manifest: () => manifest,
    store: tenant.store,
    cacheBytes: 1 << 24,
    filterCacheBytes: 1 << 20,
    workers: 1,
    keepsPartials: true,
    clock: systemClock,
    random: tenant.random,
    logger: capturingLogger().logger,
    onExit: (error) => {
      throw error;
    },
  });
}

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

function builderOf(tenant: Tenant): SegmentBuilder {
  const builder = createSegmentBuilder({
    store: tenant.store,
    seed: 1,
    onExit: (error) => {
      throw error;
    },
  });
  closing.push(() => builder.stop());
  return builder;
}

describe.each([1, 2, 3, 4])('with seed %i', (seed) => {
  test('every lookup is right while blocks and segments come, go and are damaged', { timeout: 180_000 }, async () => {
    const tenant = new Tenant(seed);
    const querier = createQuerier(tenant, tenant.manifest);
    closing.push(() => querier.stop());
    const builder = builderOf(tenant);
    // What others commit while a segment is made.
    const racing: SegmentBuilder = {
      ...builder,
      build: async (job) => {
        const made = builder.build(job);
        await made.catch(() => undefined);
        const chance = fraction(tenant.random);
        if (chance < 0.2) await tenant.compact();
        else if (chance < 0.3) await tenant.expire();
        else if (chance < 0.4) await tenant.add();
        return made;
      },
    };
    for (let step = 0; step < 60; step++) {
      const chance = fraction(tenant.random);
      if (chance < 0.45) await tenant.add();
      else if (chance < 0.6) await tenant.compact();
      else if (chance < 0.65) await tenant.expire();
      else if (chance < 0.72) await tenant.damage();
      else await tenant.index(racing);
      if (step % 6 === 5) await tenant.expectRight(querier);
    }
    await tenant.index(builder);
    const { segments, live } = await tenant.manifest.snapshot(signal);
    expect(segments.length).toBeGreaterThan(0);
    expect(live.length).toBe(tenant.blocks.length);
    const fresh = createQuerier(tenant, tenant.open());
    closing.push(() => fresh.stop());
    await tenant.expectRight(fresh);
  });
});

test('of two that index the same one loses, and leaves nothing behind', async () => {
  const tenant = new Tenant(9);
  for (let i = 0; i < 5; i++) await tenant.add();
  await Promise.all([tenant.index(builderOf(tenant)), tenant.index(builderOf(tenant))]);
  const { segments } = await tenant.manifest.snapshot(signal, { maxAgeMs: 0 });
  const { objects } = await tenant.store.list(`tenants/${TENANT}/traces/`);
  const { graves } = await tenant.manifest.inspect(signal);
  const named = [...segments.map(({ id }) => id), ...graves.map(({ id }) => id)].map((id) => segmentKey(TENANT, id));
  expect(objects.map(({ key }) => key).filter((key) => !named.includes(key))).toEqual([]);
  expect(segments.length).toBeGreaterThan(0);
});

test('a block that is damaged is a hole in the index, and told by the lookup', async () => {
  const tenant = new Tenant(11);
  for (let i = 0; i < 6; i++) await tenant.add();
  const [broken] = tenant.blocks as [Block];
  const { object, offset } = broken.entry.sections.index;
  expect(entryObjects(broken.entry)).toEqual([object]);
  const key = blockKey(TENANT, broken.entry.id, object);
  const { bytes } = await tenant.store.get(key);
  bytes[offset + 60] = (bytes[offset + 60] as number) ^ 1;
  await tenant.store.put(key, [bytes]);
  await tenant.index(builderOf(tenant));
  const { segments } = await tenant.manifest.snapshot(signal);
  expect(segments.flatMap(({ holes }) => holes)).toEqual([0]);
  const querier = createQuerier(tenant, tenant.manifest);
  closing.push(() => querier.stop());
  const lost = hexToBytes((broken.spans[0] as TestSpan).traceId);
  const { complete, problems } = await querier.findTrace(TENANT, lost, { maxBytes: 1 << 20, signal });
  expect(complete).toBe(false);
  expect(problems[0]).toContain(broken.entry.id);
});
