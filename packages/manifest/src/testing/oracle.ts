import { utf8Encode } from '@vivace/kernel';
import { type BlockEntry, entryTimeMs } from '../block-entry.ts';
import { decodeEntryPage, decodeGravePage } from '../page.ts';
import { decodeTenant, parseBlockKey, parsePageKey } from '../paths.ts';
import { DEFAULT_CLASS } from '../retention.ts';
import { decodeRoot } from '../root.ts';
import { decodeBlock, decodeRecord, isFailed, isMisdated, sentMs } from './records.ts';
import type { SimulatedBucket } from './simulated-bucket.ts';
import type { LogFormat } from './simulated-log.ts';

/** A broken invariant of the protocol. */
export class Violation extends Error {}

/** What the bucket holds of a tenant, read as anybody could read it. */
interface Stored {
  covered: ReadonlyMap<string, number>;
  /** Record → how many live blocks hold it. */
  counts: Map<number, number>;
}

/**
 * Looks into the bucket between two events and throws a Violation where an invariant does not hold: every
 * acknowledged record that is not too old is in the log above `covered` or in live blocks, once; no other record is
 * there twice; no live entry names a missing object; no block of which a rule said that it is nothing special holds a
 * record that a rule keeps longer.
 */
export function checkBucket(
  bucket: SimulatedBucket,
  acknowledged: ReadonlyMap<number, string>,
  log: LogFormat,
  mustBeThere: (record: number) => boolean,
): void {
  const tenants = readTenants(bucket);
  for (const key of bucket.keys('streams/')) {
    const stream = key.slice('streams/'.length);
    for (let number = log.dropped(bytesOf(bucket, key)) + 1; ; number++) {
      const segment = log.segmentKey(stream, number);
      const object = bucket.objects.get(segment);
      const records = object === undefined ? undefined : log.records(segment, object.bytes);
      if (records === undefined) break;
      for (const [tenant, text] of records) {
        const stored = tenantOf(tenants, tenant);
        if (number > (stored.covered.get(stream) ?? 0)) count(stored.counts, decodeRecord(utf8Encode(text)));
      }
    }
  }
  for (const [record, tenant] of acknowledged) {
    if ((tenants.get(tenant)?.counts.get(record) ?? 0) === 0 && mustBeThere(record)) {
      throw new Violation(`record ${record} of ${tenant} was acknowledged and is nowhere`);
    }
  }
  for (const [tenant, { counts }] of tenants) {
    for (const [record, times] of counts) {
      if (times > 1) throw new Violation(`record ${record} of ${tenant} is there ${times} times`);
    }
  }
}

/** After the last adoption and sweep nothing is left but roots, live blocks, their pages, seals, and the last's stream. */
export function checkClean(bucket: SimulatedBucket, log: LogFormat): void {
  const streams = bucket.keys('streams/');
  if (streams.length > 1) throw new Violation(`streams were not closed: ${streams.join(' ')}`);
  for (const key of bucket.keys('wal/')) {
    if (log.records(key, bytesOf(bucket, key)) !== undefined) throw new Violation(`garbage in the log: ${key}`);
  }
  const named = new Map<string, Set<string>>();
  for (const key of bucket.keys('tenants/')) {
    const tenant = decodeTenant(key.split('/')[1] as string);
    if (key.endsWith('/root')) continue;
    let names = named.get(tenant);
    if (!names) {
      names = readNames(bucket, tenant);
      named.set(tenant, names);
    }
    const id = parseBlockKey(tenant, key)?.id ?? parsePageKey(tenant, key);
    if (id === undefined || !names.has(id)) throw new Violation(`garbage: ${key}`);
  }
}

/** When everything was too old, no tenant has a block. */
export function checkEmpty(bucket: SimulatedBucket): void {
  for (const [tenant, { counts }] of readTenants(bucket)) {
    const [record] = counts.keys();
    if (record !== undefined) throw new Violation(`record ${record} of ${tenant} is still there`);
  }
}

function readTenants(bucket: SimulatedBucket): Map<string, Stored> {
  const tenants = new Map<string, Stored>();
  for (const [key, object] of bucket.objects) {
    if (!key.startsWith('tenants/') || !key.endsWith('/root')) continue;
    const tenant = decodeTenant(key.split('/')[1] as string);
    const root = decodeRoot(object.bytes, tenant, object.lastModifiedMs);
    const counts = new Map<number, number>();
    const prefix = key.slice(0, -'root'.length);
    const live = [...root.added];
    for (const { id } of root.pages) {
      const page = decodeEntryPage(bytesOf(bucket, `${prefix}pages/${id}`), tenant);
      live.push(...page.filter((entry) => !root.removed.has(entry.id)));
    }
    const ids = new Set<string>();
    for (const entry of live) {
      const { id } = entry;
      if (ids.has(id)) throw new Violation(`block ${id} is live twice`);
      ids.add(id);
      for (const record of decodeBlock(bytesOf(bucket, `${prefix}blocks/${id.slice(-2)}/${id}/block`))) {
        count(counts, record);
        checkAge(entry, record);
      }
    }
    tenants.set(tenant, { covered: root.covered, counts });
  }
  return tenants;
}

/** A block must not expire before its records do. */
function checkAge(entry: BlockEntry, record: number): void {
  if (entry.retentionClass === DEFAULT_CLASS && isFailed(record)) {
    throw new Violation(`block ${entry.id} is of the class of what is kept shortest, and holds record ${record}`);
  }
  // The end of the data says nothing of a record whose own time is impossible.
  const untilMs = entryTimeMs(entry);
  if (untilMs < sentMs(record) && (entry.misdated === true || !isMisdated(record))) {
    throw new Violation(`block ${entry.id} would expire before record ${record}`);
  }
}

function readNames(bucket: SimulatedBucket, tenant: string): Set<string> {
  const names = new Set<string>();
  const root = [...bucket.keys('tenants/')].find(
    (key) => key.endsWith('/root') && decodeTenant(key.split('/')[1] as string) === tenant,
  );
  if (root === undefined) return names;
  const object = bucket.objects.get(root);
  if (!object) return names;
  const { added, pages, removed, graves, gravePages } = decodeRoot(object.bytes, tenant, object.lastModifiedMs);
  for (const { id } of [...added, ...pages, ...graves, ...gravePages]) names.add(id);
  const prefix = root.slice(0, -'root'.length);
  for (const { id } of pages) {
    for (const entry of decodeEntryPage(bytesOf(bucket, `${prefix}pages/${id}`), tenant)) {
      if (!removed.has(entry.id)) names.add(entry.id);
    }
  }
  for (const { id, stampMs } of gravePages) {
    for (const grave of decodeGravePage(bytesOf(bucket, `${prefix}pages/${id}`), tenant, stampMs)) names.add(grave.id);
  }
  return names;
}

function tenantOf(tenants: Map<string, Stored>, tenant: string): Stored {
  let stored = tenants.get(tenant);
  if (stored === undefined) {
    stored = { covered: new Map(), counts: new Map() };
    tenants.set(tenant, stored);
  }
  return stored;
}

function bytesOf(bucket: SimulatedBucket, key: string): Uint8Array {
  const object = bucket.objects.get(key);
  if (object === undefined) throw new Violation(`a live entry names a missing object: ${key}`);
  return object.bytes;
}

function count(counts: Map<number, number>, record: number): void {
  counts.set(record, (counts.get(record) ?? 0) + 1);
}
