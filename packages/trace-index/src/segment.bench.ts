import { seededRandom } from '@vivace/kernel';
import { MAX_SORTED, mergeSegments, sortPostings, type TracePostings } from './merge-segments.ts';
import { bucketIn, findBlocks } from './segment-reader.ts';
import { keyHash } from './trace-hash.ts';

// What segments cost: node packages/trace-index/src/segment.bench.ts [traces] [blocks]

const traces = Number(process.argv[2] ?? 1_000_000);
const blocks = Number(process.argv[3] ?? 288);
const random = seededRandom(1);
const ID = '0199c82c-c07b-7001-8000-0123456789ab';
const same = (ordinal: number): number => ordinal;

function timed<T>(what: string, count: number, work: () => T): T {
  // Processor time: what else the machine does must not count.
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  process.stdout.write(`${what}: ${ms.toFixed(0)} ms, ${((1e6 * ms) / count).toFixed(0)} ns each\n`);
  return result;
}

const ids = new Uint8Array(8 * traces);
for (let at = 0; at < ids.length; at += 1 << 16) ids.set(random.bytes(Math.min(1 << 16, ids.length - at)), at);

const postings = timed('hash and sort', traces, () => {
  const lists: TracePostings[] = [];
  for (let from = 0; from < traces; from += MAX_SORTED) {
    const count = Math.min(MAX_SORTED, traces - from);
    const hashes = new Uint32Array(count);
    const ordinals = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      hashes[i] = keyHash(ids, 8 * (from + i));
      ordinals[i] = Math.floor(((from + i) * blocks) / traces);
    }
    lists.push(sortPostings(hashes, ordinals));
  }
  return lists;
});
const segment = timed('write', traces, () =>
  mergeSegments({ id: ID, first: 0, end: blocks, segments: [], postings, current: same }),
);
timed('write again, merged with nothing', traces, () =>
  mergeSegments({
    id: ID,
    first: 0,
    end: blocks,
    segments: [{ place: segment, bytes: segment.bytes, entries: segment.entries }],
    postings: [],
    current: same,
  }),
);
const LOOKUPS = 20_000;
let wrong = 0;
timed('look up', LOOKUPS, () => {
  for (let i = 0; i < LOOKUPS; i++) {
    const hash = random.u32();
    wrong += findBlocks(segment, bucketIn(segment, segment.bytes, hash), hash)?.length ?? 0;
  }
});
const { bytes, buckets, stride } = segment;
process.stdout.write(
  `${traces} traces of ${blocks} blocks: ${(bytes.length / traces).toFixed(2)} bytes a trace, ` +
    `${buckets} buckets of ${stride} bytes, ${((100 * wrong) / LOOKUPS).toFixed(2)} % of absent ids ask a filter\n`,
);
