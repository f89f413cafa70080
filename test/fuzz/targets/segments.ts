import { concatBytes, crc32, equalBytes, isKind, type Random, seededRandom } from '@vivace/kernel';
import { createScheduler, SimulatedFiles } from '@vivace/kernel/testing';
import { type LogRecord, openDiskLog, type WriteAheadLog } from '@vivace/wal';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { damageInPlace, mutateBytes } from '../mutate-bytes.ts';

const DIRECTORY = '/wal';
const HEADER_BYTES = 64;
const HEADER_LENGTH_AT = 12;
const HEADER_CRC_AT = 60;
const TENANTS = ['a', 'tenant', 'another-tenant'];
const never = new AbortController().signal;

/** What was done to a segment: bytes changed or cut, anything, or anything with right checksums. */
const IN_PLACE = 0;
const ANYTHING = 1;
const RESEALED = 2;

interface Stream {
  id: string;
  files: string[];
  bytes: Uint8Array[];
  records: LogRecord[][];
}

/**
 * A stream of three segments of which one is changed: sealing reports it or every record is there; what is read is
 * the right records, of the changed segment the first ones; a second seal finds nothing more. The first byte of
 * an input says which segment it is, the second what was done to it.
 */
export async function segmentsTarget(seed: number): Promise<FuzzTarget> {
  const stream = await writeStream(seededRandom(seed));
  return {
    keepBytes: 2,
    make(random) {
      const number = below(random, 3);
      const mode = below(random, 3);
      const bytes = stream.bytes[number] as Uint8Array;
      const other = oneIn(random, 2) ? bytes : pick(random, stream.bytes);
      let changed: Uint8Array;
      if (mode === IN_PLACE) changed = damageInPlace(random, bytes);
      else if (mode === ANYTHING) changed = mutateBytes(random, bytes, other);
      else
        changed = reseal(random, oneIn(random, 2) ? damageInPlace(random, bytes) : mutateBytes(random, bytes, other));
      return concatBytes([Uint8Array.of(number, mode), changed]);
    },
    async check(input) {
      const [number, mode] = input as unknown as [number, number];
      const bytes = input.subarray(2);
      const files = new SimulatedFiles();
      await files.makeDirectory(DIRECTORY);
      await files.makeDirectory(`${DIRECTORY}/${stream.id}`);
      for (const [i, name] of stream.files.entries()) {
        const file = await files.create(name);
        await file.append([i === number ? bytes : (stream.bytes[i] as Uint8Array)]);
        await file.sync();
        await file.close();
      }
      await files.syncDirectory(`${DIRECTORY}/${stream.id}`);
      const first = await readAll(files, stream.id);
      for (const [i, written] of stream.records.entries()) {
        const read = first.records[i] as LogRecord[];
        if (i !== number) expectThat(sameRecords(read, written), `segment ${i + 1}, which is whole, reads otherwise`);
        else checkChanged(mode, read, written, bytes, stream.bytes[i] as Uint8Array, first.damaged.has(i + 1));
      }
      const again = await readAll(files, stream.id);
      expectThat(
        again.records.every((records, i) => sameRecords(records, first.records[i] as LogRecord[])),
        'a second seal finds other records',
      );
    },
  };
}

function checkChanged(
  mode: number,
  read: readonly LogRecord[],
  written: readonly LogRecord[],
  bytes: Uint8Array,
  original: Uint8Array,
  damaged: boolean,
): void {
  const size = read.reduce((sum, { bytes: record }) => sum + record.length, 0);
  expectThat(size <= bytes.length, 'more bytes are read than the segment has');
  if (mode === RESEALED) return;
  const known = (record: LogRecord) => written.some((one) => sameRecords([one], [record]));
  expectThat(read.every(known), 'a record is read that was never written');
  if (mode !== IN_PLACE) return;
  expectThat(sameRecords(read, written.slice(0, read.length)), 'records before the damage are missing');
  // A cut between two records cannot be told from a shorter segment.
  const cut = read.length < written.length && endsAfter(original, read.length).includes(bytes.length);
  expectThat(read.length === written.length || damaged || cut, 'records are missing, and nobody says so');
}

/** Where a segment may end that has so many records: after the last of them, or after what fills its group. */
function endsAfter(segment: Uint8Array, records: number): number[] {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const ends: number[] = [];
  let read = 0;
  for (let at = headerBytes(view); read <= records; ) {
    if (read === records) ends.push(at);
    if (at === segment.length) break;
    if (view.getUint16(at + 8, true) > 0) read++;
    at += 12 + view.getUint32(at + 4, true) + view.getUint16(at + 8, true);
  }
  return ends;
}

function headerBytes(view: DataView): number {
  return view.getUint32(HEADER_LENGTH_AT, true);
}

/** Puts the checksum right that the header has, and those of the records that have a plausible length. */
function reseal(random: Random, segment: Uint8Array): Uint8Array {
  const bytes = segment.slice();
  const view = new DataView(bytes.buffer);
  if (bytes.length < HEADER_BYTES) return bytes;
  const seed = crc32(bytes.subarray(0, HEADER_CRC_AT));
  view.setUint32(HEADER_CRC_AT, seed, true);
  let at = Math.min(headerBytes(view), bytes.length);
  while (at + 12 <= bytes.length) {
    if (oneIn(random, 12)) view.setUint32(at + 4, pick(random, [0, 1, 0x7fffffff, 0xffffffff, bytes.length]), true);
    if (oneIn(random, 12)) view.setUint16(at + 8, pick(random, [0, 1, 600, 601, 0xffff]), true);
    const end = at + 12 + view.getUint32(at + 4, true) + view.getUint16(at + 8, true);
    view.setUint32(at, crc32(bytes.subarray(at + 4, Math.min(end, bytes.length)), seed), true);
    at = end;
  }
  return bytes;
}

let processes = 0;

async function openLog(files: SimulatedFiles): Promise<WriteAheadLog> {
  const random = seededRandom(++processes);
  const { clock } = createScheduler(random, { startMs: 1_700_000_000_000 + processes });
  return openDiskLog({ files, clock, random, directory: DIRECTORY });
}

async function writeStream(random: Random): Promise<Stream> {
  const files = new SimulatedFiles();
  const log = await openLog(files);
  const { stream: id } = log.position;
  const records: LogRecord[][] = [];
  for (let segment = 0; segment < 3; segment++) {
    const sizes = [0, 1, 20, 300, below(random, 2000), 64];
    const written = sizes.map((size): LogRecord => ({ tenant: pick(random, TENANTS), bytes: random.bytes(size) }));
    for (const { tenant, bytes } of written) log.append(tenant, bytes);
    records.push(written);
    log.rotate();
  }
  await log.stop();
  const names = [1, 2, 3].map((number) => `${DIRECTORY}/${id}/${String(number).padStart(20, '0')}.seg`);
  const bytes = await Promise.all(names.map((name) => files.readFile(name)));
  return { id, files: names, bytes, records };
}

/** What a new process makes of the stream. */
async function readAll(files: SimulatedFiles, stream: string) {
  const log = await openLog(files);
  const { damage } = await log.seal(stream, never);
  const records: LogRecord[][] = [];
  for (let segment = 1; segment <= 3; segment++) {
    const read: LogRecord[] = [];
    try {
      for await (const record of log.read({ stream, segment }, never)) read.push(record);
    } catch (error) {
      if (!isKind(error, 'data')) throw error;
    }
    records.push(read);
  }
  await log.stop();
  return { records, damaged: new Set(damage.map(({ segment }) => segment)) };
}

function sameRecords(a: readonly LogRecord[], b: readonly LogRecord[]): boolean {
  return a.length === b.length && a.every((one, i) => one.tenant === b[i]?.tenant && equalBytes(one.bytes, b[i].bytes));
}
