import { describeFinding, type Finding, verifyBlock } from '@vivace/block';
import { VivaceError } from '@vivace/kernel';
import { blockKey } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { CommandCall, CommandRun } from './command.ts';
import { blockBytes, findBlock, inspectTenant, type LiveBlock, liveBlocks } from './live-blocks.ts';
import { openStoreToRead, withStore } from './open-store.ts';
import { formatBytes, printable } from './output.ts';

/** `vivace blocks verify ID|--all` */
export const run: CommandRun = async (call) => {
  const { words, flags, output, progress, clock, random } = call;
  const [id] = words;
  if ((id === undefined) !== flags.has('all')) {
    throw new VivaceError('invalid', 'usage', 'name one block by its ID, or write --all');
  }
  return withStore(openStoreToRead(call.config(), clock, random), async (store) => {
    const blocks = id === undefined ? await liveBlocks(call, store) : [await findBlock(call, store, id)];
    progress.begin(
      `verifying ${blocks.length} blocks`,
      blocks.reduce((sum, { entry }) => sum + blockBytes(entry), 0),
    );
    const results: unknown[] = [];
    let damaged = 0;
    let bytes = 0;
    let pages = 0;
    const lines: string[] = [];
    const removed: string[] = [];
    for (const block of blocks) {
      const result = await verifyOne(call, store, block);
      bytes += result.bytes;
      pages += result.pages;
      // Compaction may have replaced it while it was read.
      const gone = result.findings.length > 0 && !(await isLive(call, store, block));
      if (gone) {
        removed.push(block.entry.id);
        continue;
      }
      if (result.findings.length > 0) damaged++;
      results.push({ tenant: block.tenant, block: block.entry.id, ...result });
      lines.push(...describeAll(block, result));
    }
    progress.end();
    for (const line of lines) output.line(line);
    for (const gone of removed) output.note(`block ${gone} was removed while it was read`);
    const found = damaged === 0 ? 'nothing is wrong' : `${damaged} of ${blocks.length} blocks are damaged`;
    output.line(`${blocks.length} blocks, ${formatBytes(bytes)}, ${pages} pages: ${found}`);
    output.value(results);
    return damaged === 0 ? 0 : 1;
  });
};

async function isLive(call: CommandCall, store: ObjectStore, { tenant, entry }: LiveBlock): Promise<boolean> {
  const { live } = await inspectTenant(call, store, tenant);
  return live.some(({ id }) => id === entry.id);
}

function verifyOne({ signal, progress }: CommandCall, store: ObjectStore, { tenant, entry }: LiveBlock) {
  const keyOf = (object: string) => blockKey(tenant, entry.id, object);
  return verifyBlock({
    claim: entry,
    readRange: async (object, offset, length) =>
      (await store.get(keyOf(object), { range: { offset, length }, signal })).bytes,
    objectBytes: async (object) => (await store.head(keyOf(object), { signal })).size,
    signal,
    onRead: (read) => progress.add(read),
  });
}

function describeAll({ tenant, entry }: LiveBlock, result: { findings: Finding[]; truncated: boolean }): string[] {
  const lines = result.findings.map((finding) => `${tenant} ${entry.id}: ${printable(describeFinding(finding))}`);
  return result.truncated ? [...lines, `${tenant} ${entry.id}: and more`] : lines;
}
