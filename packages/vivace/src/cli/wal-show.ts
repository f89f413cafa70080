import { logBackend } from '@vivace/config';
import { systemFiles } from '@vivace/kernel';
import { openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import {
  type InspectedBucketStream,
  type InspectedSegment,
  type InspectedStream,
  inspectBucketLog,
  inspectDiskLog,
} from '@vivace/wal';
import type { CommandCall, CommandRun } from './command.ts';
import { openStoreToRead, withStore } from './open-store.ts';
import { formatBytes } from './output.ts';

const HEAD = ['STREAM', 'SEGMENT', 'BYTES', 'RECORDS', 'TENANT', 'COVERED'];

/** `vivace wal show` */
export const run: CommandRun = async (call) => {
  const { output, clock, random, signal } = call;
  const config = call.config();
  const backend = logBackend(config);
  const { path } = config.storage.trace.wal;
  return withStore(openStoreToRead(config, clock, random), async (store) => {
    const coverage = createCoverage(call, store);
    const streams: AsyncIterable<InspectedStream | InspectedBucketStream> =
      backend === 'disk' ? inspectDiskLog(path, { files: systemFiles, signal }) : inspectBucketLog(store, { signal });
    const shown: unknown[] = [];
    const rows = [HEAD];
    const notes: string[] = [];
    for await (const stream of streams) {
      const segments: unknown[] = [];
      for (const segment of stream.segments) {
        const covered: Record<string, boolean> = {};
        for (const tenant of segment.tenants.keys()) {
          covered[tenant] = (await coverage(tenant, stream.stream)) >= segment.segment;
        }
        rows.push(...rowsOf(stream.stream, segment, covered));
        if (segment.unread !== undefined) notes.push(describeUnread(stream.stream, segment, segment.unread));
        segments.push({ ...segment, covered });
      }
      shown.push({ ...stream, segments });
      if ('seals' in stream) notes.push(describeOwner(stream));
    }
    output.table(rows);
    output.value({ backend, ...(backend === 'disk' && { directory: path }), streams: shown });
    for (const line of notes) output.note(line);
    return 0;
  });
};

function rowsOf(
  stream: string,
  { segment, bytes, tenants }: InspectedSegment,
  covered: Record<string, boolean>,
): string[][] {
  if (tenants.size === 0) return [[stream, `${segment}`, formatBytes(bytes), '0', '-', '-']];
  return [...tenants].map(([tenant, { records, bytes: own }]) => [
    stream,
    `${segment}`,
    formatBytes(own),
    `${records}`,
    tenant,
    covered[tenant] === true ? 'yes' : 'no',
  ]);
}

function describeUnread(
  stream: string,
  { segment }: InspectedSegment,
  { offset, bytes, reason }: NonNullable<InspectedSegment['unread']>,
): string {
  return `segment ${segment} of stream ${stream}: ${bytes} bytes from ${offset} on are not read (being written, or damage): ${reason}`;
}

function describeOwner({ stream, lease, seals }: InspectedBucketStream): string {
  const sealed = seals.length === 0 ? '' : `, sealed at ${seals.join(', ')}`;
  if (lease === undefined) return `stream ${stream}: closed${sealed}`;
  const { instance, address, dropped, released, ageMs } = lease;
  const owner = `${instance}${address === '' ? '' : ` at ${address}`}`;
  const life = released ? 'has stopped' : `wrote its lease ${Math.round(ageMs / 1000)} s ago`;
  return `stream ${stream}: ${owner} ${life}, dropped up to ${dropped}${sealed}`;
}

/** How far blocks cover a stream for a tenant, each tenant's root read once. */
function createCoverage({ clock, random, signal }: CommandCall, store: ObjectStore) {
  const known = new Map<string, ReadonlyMap<string, number>>();
  return async (tenant: string, stream: string): Promise<number> => {
    let covered = known.get(tenant);
    if (covered === undefined) {
      ({ covered } = await openManifest({ store, tenant, clock, random }).snapshot(signal));
      known.set(tenant, covered);
    }
    return covered.get(stream) ?? 0;
  };
}
