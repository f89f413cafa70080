import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import { bytesToHex, type Clock, hexToBytes, type Random, utf8Encode, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';

export interface ManyBlocksOptions {
  store: ObjectStore;
  manifest: Manifest;
  clock: Clock;
  random: Random;
  blocks: number;
  /** The blocks are of so many days before now. */
  days: number;
  signal: AbortSignal;
}

/** What was stored, to ask for. */
export interface ManyBlocks {
  /** A trace of each of some blocks, and the value of `order.id` that its spans have and no other. */
  known: { traceId: Uint8Array; orderId: string; block: string }[];
  startUnixNano: bigint;
  endUnixNano: bigint;
}

const TRACES_A_BLOCK = 3;
const SPANS_A_TRACE = 4;
const COMMIT_BLOCKS = 200;
const SAMPLES = 40;
const DAY_MS = 86_400_000;
const RESOURCE = utf8Encode('\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04cart');

/** Many small blocks as a tenant gets them over days: encoded one by one, committed in their order. */
export async function storeManyBlocks(options: ManyBlocksOptions): Promise<ManyBlocks> {
  const { store, manifest, clock, random, blocks, days, signal } = options;
  const nowMs = clock.nowMs();
  const known: ManyBlocks['known'] = [];
  const every = Math.max(1, Math.floor(blocks / SAMPLES));
  let waiting: BlockEntry[] = [];
  for (let number = 0; number < blocks; number++) {
    const atMs = nowMs - Math.floor(((blocks - number) * days * DAY_MS) / blocks);
    const { spans, traces } = spansOf(number, atMs, random);
    const set = buildSet(spans);
    const encoded = encodeBlock(set, blockOrder(set));
    const { objects, sections } = layoutObjects(encoded);
    const id = uuidV7(nowMs, random);
    for (const { name, parts } of objects) await store.put(blockKey(manifest.tenant, id, name), parts, { signal });
    const { sections: _, ...facts } = encoded;
    waiting.push({ ...facts, sections, id, commitTimeMs: atMs, level: 0, retentionClass: '', applied: 0 });
    const [first] = traces;
    if (number % every === 0 && first !== undefined) known.push({ ...first, block: id });
    if (waiting.length < COMMIT_BLOCKS && number + 1 < blocks) continue;
    await manifest.commit({ add: waiting, remove: [], cover: [] }, signal);
    waiting = [];
  }
  return {
    known,
    startUnixNano: BigInt(nowMs - (days + 1) * DAY_MS) * 1_000_000n,
    endUnixNano: BigInt(nowMs + DAY_MS) * 1_000_000n,
  };
}

function spansOf(block: number, atMs: number, random: Random) {
  const spans: TestSpan[] = [];
  const traces: { traceId: Uint8Array; orderId: string }[] = [];
  for (let trace = 0; trace < TRACES_A_BLOCK; trace++) {
    const traceId = bytesToHex(random.bytes(16));
    const orderId = `order-${block}-${trace}-${bytesToHex(random.bytes(4))}`;
    traces.push({ traceId: hexToBytes(traceId), orderId });
    const root = bytesToHex(random.bytes(8));
    for (let span = 0; span < SPANS_A_TRACE; span++) {
      const start = BigInt(atMs) * 1_000_000n + BigInt(trace * 1000 + span);
      spans.push({
        traceId,
        spanId: span === 0 ? root : bytesToHex(random.bytes(8)),
        ...(span > 0 && { parentId: root }),
        start,
        end: start + 1_000_000n,
        name: `operation ${span}`,
        kind: 1 + (span % 5),
        status: span % 3,
        resource: RESOURCE,
        attributes: [
          ['order.id', orderId],
          ['http.status_code', BigInt(200 + (span % 3))],
        ],
      });
    }
  }
  return { spans, traces };
}
