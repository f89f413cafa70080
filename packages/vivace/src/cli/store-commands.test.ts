import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { seededRandom, systemClock } from '@vivace/kernel';
import { type BlockEntry, blockKey, openManifest, rootKey } from '@vivace/manifest';
import { createFileStore, createS3Store, lockDirectory, type ObjectStore, openFileReader } from '@vivace/object-store';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { openBucketLog } from '@vivace/wal';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit, liveEntries, putBlock, shopSpans, TENANT } from './testing/block-maker.ts';
import { type CliResult, runVivace } from './testing/run-cli.ts';

interface TestStore {
  store: ObjectStore;
  /** As another process sees it. */
  reader(): Promise<ObjectStore>;
  vivace(...argv: string[]): Promise<CliResult>;
  close(): Promise<void>;
}

async function fileStore(): Promise<TestStore> {
  const directory = mkdtempSync(path.join(tmpdir(), 'vivace-cli-'));
  const store = await createFileStore({ directory: path.join(directory, 'store') });
  return {
    store,
    reader: () => openFileReader({ directory: path.join(directory, 'store') }),
    vivace: (...argv) => runVivace([...argv, '--data-dir', directory]),
    close: async () => {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function s3Store(): Promise<TestStore> {
  const target: S3Target = await startS3Target();
  const { endpoint, region, bucket, credentials } = target;
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    VIVACE_STORAGE_TRACE_BACKEND: 's3',
    VIVACE_STORAGE_TRACE_S3_BUCKET: bucket,
    VIVACE_STORAGE_TRACE_S3_ENDPOINT: endpoint,
    VIVACE_STORAGE_TRACE_S3_REGION: region,
    VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
  };
  const store = await createS3Store({
    bucket,
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { ...credentials },
    clock: systemClock,
  });
  return {
    store,
    reader: async () => store,
    vivace: (...argv) => runVivace(argv, { env }),
    close: async () => {
      await store.close();
      await target.close();
    },
  };
}

/** Without what each commit gives anew. */
const plain = (entries: readonly BlockEntry[]) => entries.map((entry) => ({ ...entry, ordinals: undefined }));
const never = new AbortController().signal;

describe.each([
  ['a directory', 'local', fileStore],
  ['a bucket', 's3', s3Store],
])('over %s', (_, backend, open) => {
  let at: TestStore;
  let blocks: BlockEntry[];

  beforeEach(async () => {
    at = await open();
    blocks = [
      await putBlock(at.store, shopSpans(500, 1)),
      await putBlock(at.store, shopSpans(300, 2), { single: false }),
    ];
    await commit(at.store, blocks);
  });
  afterEach(() => at.close());

  test('blocks are listed and shown', async () => {
    const { status, stdout, stderr } = await at.vivace('blocks', 'ls', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const listed = JSON.parse(stdout) as { id: string; rows: number; tenant: string }[];
    expect(listed.map(({ id, rows, tenant }) => ({ id, rows, tenant }))).toEqual(
      blocks.map(({ id, rows }) => ({ id, rows, tenant: TENANT })),
    );
    const text = await at.vivace('blocks', 'ls');
    expect(text.stdout.split('\n')[1]).toMatch(new RegExp(`^${TENANT}\\s+${blocks[0]?.id}\\s+0\\s+500\\s+40`));
    expect((await at.vivace('blocks', 'ls', '--to', '2020-01-01', '--json')).stdout).toBe('[]\n');
    const shown = await at.vivace('blocks', 'show', (blocks[1] as BlockEntry).id.slice(-12));
    expect(shown.stdout).toMatch(/spans\.parquet[^]*ROW GROUP[^]*order\.id/);
    const unknown = await at.vivace('blocks', 'show', 'ffff-not-there');
    expect(unknown).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching('no live block') as string });
  });

  test('the manifest is shown', async () => {
    const { stdout } = await at.vivace('manifest', 'show', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ tenant: TENANT, version: 1, spans: 800 }]);
    expect((await at.vivace('manifest', 'show')).stdout).toMatch(/blocks +2, 800 spans/);
  });

  test('a flipped byte in any section is found where it is', { timeout: 240_000 }, async () => {
    expect(await at.vivace('blocks', 'verify', '--all')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^2 blocks, .* pages: nothing is wrong\n$/) as string,
    });
    const random = seededRandom(3);
    for (const block of backend === 's3' ? blocks.slice(0, 1) : blocks) {
      for (const [section, { object, offset, length }] of Object.entries(block.sections)) {
        const key = blockKey(TENANT, block.id, object);
        const { bytes } = await at.store.get(key);
        const damaged = bytes.slice();
        const place = offset + (random.u32() % length);
        damaged[place] = (damaged[place] as number) ^ (1 << (random.u32() % 8));
        await at.store.put(key, [damaged]);
        const { status, stdout } = await at.vivace('blocks', 'verify', '--all');
        expect(status).toBe(1);
        expect(stdout).toContain(`${TENANT} ${block.id}: ${section}`);
        expect(stdout).toContain('1 of 2 blocks are damaged');
        await at.store.put(key, [bytes]);
      }
    }
    await at.store.delete(blockKey(TENANT, (blocks[1] as BlockEntry).id, 'filter'));
    const { status, stdout } = await at.vivace('blocks', 'verify', (blocks[1] as BlockEntry).id, '--json');
    expect(status).toBe(1);
    expect(stdout).toContain('the object filter is missing');
  });

  describe('a root is made again', () => {
    test('from the blocks alone, after it was lost', async () => {
      const before = await liveEntries(await at.reader());
      await at.store.delete(rootKey(TENANT));
      expect((await at.vivace('blocks', 'ls', '--json')).stdout).toBe('[]\n');
      const dry = await at.vivace('manifest', 'rebuild', '--tenant', TENANT);
      expect(dry).toMatchObject({ status: 0, stderr: expect.stringContaining('nothing was written') as string });
      expect((await at.vivace('blocks', 'ls', '--json')).stdout).toBe('[]\n');
      const done = await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write');
      expect(done).toMatchObject({ status: 0, stderr: expect.stringContaining('wrote version 1') as string });
      const after = await liveEntries(await at.reader());
      const facts = (entries: readonly BlockEntry[]) => plain(entries).map((entry) => ({ ...entry, commitTimeMs: 0 }));
      expect(facts(after)).toEqual(facts(before));
      for (const [i, { commitTimeMs }] of after.entries()) {
        expect(Math.abs(commitTimeMs - (before[i] as BlockEntry).commitTimeMs)).toBeLessThan(5000);
      }
      expect((await at.vivace('blocks', 'verify', '--all')).status).toBe(0);
    });

    test('without the blocks that were replaced', async () => {
      const merged = await putBlock(at.store, [...shopSpans(500, 1), ...shopSpans(300, 2)], { level: 1 });
      const young = await putBlock(at.store, shopSpans(100, 3));
      await commit(
        at.store,
        [merged, young],
        blocks.map(({ id }) => id),
      );
      await at.store.delete(rootKey(TENANT));
      const { status, stdout } = await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write', '--json');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        contained: blocks.map(({ id }) => ({ id, in: [merged.id] })),
      });
      const after = await liveEntries(await at.reader());
      expect(after.map(({ id, level, rows }) => ({ id, level, rows }))).toEqual([
        { id: merged.id, level: 1, rows: 800 },
        { id: young.id, level: 0, rows: 100 },
      ]);
    });

    test('with a block that only looks replaced: other spans of the same traces', async () => {
      const spans = shopSpans(500, 1);
      const other = await putBlock(
        at.store,
        spans.map((span, i) => ({ ...span, spanId: `9${i + 1}`.padStart(16, '0') })),
      );
      await commit(at.store, [other]);
      await at.store.delete(rootKey(TENANT));
      await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write');
      expect((await liveEntries(await at.reader())).map(({ id }) => id)).toEqual(
        [...blocks, other].map(({ id }) => id),
      );
    });

    test('when its bytes are damaged, which stay beside it', async () => {
      const { bytes } = await at.store.get(rootKey(TENANT));
      bytes[20] = (bytes[20] as number) ^ 1;
      await at.store.put(rootKey(TENANT), [bytes]);
      expect((await at.vivace('blocks', 'ls')).status).toBe(1);
      const { status, stderr } = await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write');
      expect(status).toBe(0);
      const aside = /is now (\S+)/.exec(stderr)?.[1] as string;
      expect((await (await at.reader()).get(aside)).bytes).toEqual(bytes);
      expect((await liveEntries(await at.reader())).map(({ id }) => id)).toEqual(blocks.map(({ id }) => id));
    });

    test('but not where it can be read, unless that is asked for', async () => {
      const { bytes } = await at.store.get(rootKey(TENANT));
      const lost = await putBlock(at.store, shopSpans(50, 4));
      await at.store.delete(blockKey(TENANT, (blocks[0] as BlockEntry).id, 'block'));
      const refused = await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write');
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('can be read') as string });
      expect((await (await at.reader()).get(rootKey(TENANT))).bytes).toEqual(bytes);
      const forced = await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write', '--force');
      expect(forced.status).toBe(0);
      expect((await liveEntries(await at.reader())).map(({ id }) => id)).toEqual([
        (blocks[1] as BlockEntry).id,
        lost.id,
      ]);
    });

    test('with what pages still say of blocks', async () => {
      const options = { store: at.store, tenant: TENANT, clock: systemClock, random: seededRandom(9) };
      const facts = { level: 3, retentionClass: 'gold', misdated: true };
      const paged = { ...(await putBlock(at.store, shopSpans(60, 6))), ...facts };
      const manifest = openManifest({ ...options, rootMaxBytes: 330 });
      expect(await manifest.commit({ add: [paged], remove: [], cover: [] }, never)).toMatchObject({ committed: true });
      expect((await manifest.inspect(never)).pages.size).toBeGreaterThan(0);
      await at.store.delete(rootKey(TENANT));
      expect((await at.vivace('manifest', 'rebuild', '--tenant', TENANT, '--write')).status).toBe(0);
      const live = await liveEntries(await at.reader());
      expect(plain(live)).toEqual(plain([...blocks, paged]));
    });
  });
});

test('a bucket on which a server runs is read, and not written', async () => {
  const at = await s3Store();
  try {
    await commit(at.store, [await putBlock(at.store, shopSpans(50, 5))]);
    const log = await openBucketLog({
      store: at.store,
      clock: systemClock,
      random: seededRandom(2),
      instance: 'ingester-0',
    });
    await log.append(TENANT, new Uint8Array(10)).durable;
    expect((await at.vivace('wal', 'show')).stderr).toMatch(/ingester-0 wrote its lease \d s ago/);
    const rebuild = ['manifest', 'rebuild', '--tenant', TENANT, '--write', '--force'];
    expect(await at.vivace(...rebuild)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('stop ingester-0 first') as string,
    });
    await log.stop();
    expect((await at.vivace(...rebuild)).status).toBe(0);
    expect(await at.vivace('manifest', 'rebuild', '--tenant', 'nobody')).toMatchObject({ status: 1, stdout: '' });
  } finally {
    await at.close();
  }
});

test('a directory that a server has is read, and not written', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vivace-cli-lock-'));
  const store = await createFileStore({ directory: path.join(directory, 'store') });
  try {
    await commit(store, [await putBlock(store, shopSpans(50, 5))]);
    const lock = await lockDirectory(path.join(directory, 'store'));
    const files = readdirSync(directory, { recursive: true });
    expect((await runVivace(['blocks', 'ls', '--data-dir', directory])).status).toBe(0);
    expect((await runVivace(['blocks', 'verify', '--all', '--data-dir', directory])).status).toBe(0);
    expect(readdirSync(directory, { recursive: true })).toEqual(files);
    const rebuild = ['manifest', 'rebuild', '--tenant', TENANT, '--write', '--force', '--data-dir', directory];
    expect(await runVivace(rebuild)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the data directory is in use') as string,
    });
    await lock.release();
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
