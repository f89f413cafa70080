import { isKind, type Random, uuidV7 } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { BlockEntry } from '../block-entry.ts';
import type { ManifestEdit } from '../edit.ts';
import type { Manifest } from '../manifest.ts';
import { blockKey } from '../paths.ts';
import { classOfKeep, DEFAULT_CLASS, expireBlocks, type RetentionTimes, UNCLASSIFIED } from '../retention.ts';
import { blockContent, decodeBlock, encodeBlock, isFailed, traceOf } from './records.ts';
import { retried } from './simulated-log.ts';
import type { SimulatedProcess } from './world.ts';

/*
 * Merging and retention as the protocol has them, over blocks of records: a merge writes one block a class and swaps
 * them for its inputs by one commit; what is too old is removed by the real `expireBlocks`.
 */

const DAY_MS = 86_400_000;
const FAILED_KEEP_MS = 5 * DAY_MS;

/** Short enough that a run of some days sees blocks expire. */
const MODEL_RETENTION: RetentionTimes = { keepMs: 2 * DAY_MS, rules: [{ keepMs: FAILED_KEEP_MS }] };

/** Until when a record must be there, however it was merged. */
export function keptMs(record: number): number {
  return isFailed(record) ? FAILED_KEEP_MS : MODEL_RETENTION.keepMs;
}

export interface ModelCompactorOptions {
  process: SimulatedProcess;
  store: ObjectStore;
  random: Random;
  manifest: Manifest;
  rules: CompactorRules;
  signal: AbortSignal;
}

/** Rules that a test can break. */
export interface CompactorRules {
  removeBefore?: boolean;
  removeAfter?: boolean;
  removeWhatIsLeft?: boolean;
  deleteInputs?: boolean;
  forgetClasses?: boolean;
  classOfFirst?: boolean;
  agesMisdated?: boolean;
  expireByOwnClock?: boolean;
  expireUnclassified?: boolean;
  expireMisdatedByData?: boolean;
}

/** Merges some of the oldest blocks; two processes that do it at a time take the same ones more often than not. */
export async function mergeBlocks(options: ModelCompactorOptions): Promise<void> {
  const { process, store, manifest, rules, signal } = options;
  const { live } = await retried(process, () => manifest.snapshot(signal));
  const misdated = process.world.chance(0.2);
  const alike = live.filter((entry) => (entry.misdated === true) === misdated);
  if (alike.length < 2) return;
  const inputs = alike.slice(0, 2 + process.world.below(2));
  const remove = inputs.map(({ id }) => id);
  if (rules.removeBefore) await commitSurely(options, { add: [], remove, cover: [] });
  const held: { entry: BlockEntry; records: number[] }[] = [];
  for (const entry of inputs) {
    try {
      const { bytes } = await retried(process, () => store.get(blockKey(manifest.tenant, entry.id, 'block')));
      held.push({ entry, records: decodeBlock(bytes) });
    } catch (error) {
      if (isKind(error, 'not-found')) return; // Replaced by somebody else, long ago.
      throw error;
    }
  }
  const add: BlockEntry[] = [];
  for (const [retentionClass, records] of classed(held, rules)) {
    add.push(await putBlock(options, { records, retentionClass, inputs }));
  }
  const removed = rules.removeBefore || rules.removeAfter ? [] : remove;
  const isDone = await commitSurely(options, { add, remove: removed, cover: [] });
  if (rules.removeAfter && isDone) await commitSurely(options, { add: [], remove, cover: [] });
  const gone = isDone ? (rules.deleteInputs ? remove : []) : add.map(({ id }) => id);
  for (const id of gone) await retried(process, () => store.delete(blockKey(manifest.tenant, id, 'block')));
}

/** Removes what is too old. */
export async function expireModelBlocks(options: ModelCompactorOptions): Promise<void> {
  const { process, manifest, rules, signal } = options;
  const seen: Pick<Manifest, 'snapshot' | 'storeTimeMs' | 'commit'> = {
    commit: async (edit) =>
      ({ committed: await commitSurely(options, edit), version: 0, code: 'removed', reason: '' }) as never,
    storeTimeMs: async () =>
      rules.expireByOwnClock ? process.clock.nowMs() : retried(process, () => manifest.storeTimeMs(signal)),
    snapshot: async (_, how) => {
      const snapshot = await retried(process, () => manifest.snapshot(signal, how));
      return { ...snapshot, live: snapshot.live.map((entry) => misread(entry, rules)) };
    },
  };
  await expireBlocks(seen, MODEL_RETENTION, signal);
}

function misread(entry: BlockEntry, rules: CompactorRules): BlockEntry {
  const seen = rules.expireMisdatedByData ? { ...entry, misdated: false } : entry;
  return rules.expireUnclassified && seen.retentionClass === UNCLASSIFIED
    ? { ...seen, retentionClass: DEFAULT_CLASS }
    : seen;
}

/** The records by class: a trace goes whole to the longest that any of its parts has or earns. */
function classed(
  held: readonly { entry: BlockEntry; records: readonly number[] }[],
  rules: CompactorRules,
): Map<string, number[]> {
  const long = new Set<number>();
  const longClass = classOfKeep(FAILED_KEEP_MS);
  for (const { entry, records } of held) {
    for (const record of records) {
      const isLong = entry.retentionClass === UNCLASSIFIED ? isFailed(record) : entry.retentionClass === longClass;
      if (isLong) long.add(traceOf(record));
    }
  }
  const outputs = new Map<string, number[]>();
  for (const record of held.flatMap(({ records }) => records)) {
    let name = long.has(traceOf(record)) && !rules.forgetClasses ? longClass : DEFAULT_CLASS;
    if (rules.classOfFirst) name = held[0]?.entry.retentionClass || DEFAULT_CLASS;
    const output = outputs.get(name);
    if (output) output.push(record);
    else outputs.set(name, [record]);
  }
  return outputs;
}

async function putBlock(
  { process, store, random, manifest, rules, signal }: ModelCompactorOptions,
  block: { records: readonly number[]; retentionClass: string; inputs: readonly BlockEntry[] },
): Promise<BlockEntry> {
  const { records, retentionClass, inputs } = block;
  const id = uuidV7(await retried(process, () => manifest.storeTimeMs(signal)), random);
  const bytes = encodeBlock(records);
  await retried(process, () => store.put(blockKey(manifest.tenant, id, 'block'), [bytes]));
  const commits = inputs.map((entry) => entry.commitTimeMs);
  return {
    ...blockContent(bytes, records.length),
    id,
    commitTimeMs: rules.agesMisdated ? Math.min(...commits) : Math.max(...commits),
    level: Math.max(...inputs.map((entry) => entry.level)) + 1,
    retentionClass,
    applied: 0,
  };
}

/** Whether the edit is in a root, however long it takes to know. */
async function commitSurely(
  { process, manifest, rules, signal }: ModelCompactorOptions,
  edit: ManifestEdit,
): Promise<boolean> {
  for (;;) {
    let wanted = edit;
    if (rules.removeWhatIsLeft && edit.add.length > 0) {
      const { live } = await retried(process, () => manifest.snapshot(signal, { maxAgeMs: 0 }));
      wanted = { ...edit, remove: edit.remove.filter((id) => live.some((entry) => entry.id === id)) };
    }
    try {
      return (await manifest.commit(wanted, signal)).committed;
    } catch (error) {
      if (!isKind(error, 'unavailable', 'limited')) throw error;
      await process.clock.sleep(process.world.below(2000));
    }
  }
}
