import { bytesToHex, isKind, type Random, systemRandom, toVivaceError, utf8Encode, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from './object-store.ts';
import { isTransient } from './retrying-store.ts';

export interface ProbeOptions {
  signal?: AbortSignal;
  random?: Random;
}

const FOLDER = 'probe/';
const LEFTOVER_AGE_MS = 3600 * 1000;
const RACERS = 16;
/** What a store that fails now and then did not tell is asked again so often. */
const MAX_TRIES = 8;

/**
 * Tries, before anything is written, the promises of a store that everything rests on: one winner of a race of
 * puts on a missing key, ETag conditions that hold, reads and lists that see what was put, a plain answer for
 * what is missing. Removes its objects. A store that fails now and then passes: what is unknown is asked again.
 *
 * Throws `invalid` with a code of `broken` and a remedy where a promise breaks; where the store cannot be used
 * at all, the store's own error (`bucket-missing`, `access-denied`, `credentials-rejected`, `unavailable` …).
 */
export async function probeStore(store: ObjectStore, options: ProbeOptions = {}): Promise<void> {
  const { signal, random = systemRandom } = options;
  const folder = `${FOLDER}${bytesToHex(random.bytes(8))}`;
  const probe: Probe = { store, folder, call: signal ? { signal } : {} };
  try {
    await probeMissingKey(probe);
    await probePutIfAbsent(probe);
    await probeCompareAndSet(probe);
    await probeListing(probe);
    await removeLeftovers(probe).catch(() => undefined);
  } finally {
    await Promise.allSettled([keys.race, keys.swap, keys.none].map((name) => store.delete(`${folder}/${name}`)));
  }
}

/** What probes left that were killed; one that is under way is not so old. The next start gets what this one does not. */
async function removeLeftovers({ store, call }: Probe): Promise<void> {
  const { objects, storeTimeMs } = await store.list(FOLDER, call);
  for (const { key, lastModifiedMs } of objects) {
    if (storeTimeMs - lastModifiedMs > LEFTOVER_AGE_MS) await store.delete(key, call);
  }
}

interface Probe {
  store: ObjectStore;
  folder: string;
  call: { signal?: AbortSignal };
}

const keys = { race: 'race', swap: 'swap', none: 'none' };

const useAnother = 'use AWS S3, MinIO, Cloudflare R2 or a local directory';

/** Each promise: what breaks without it, and the remedy. */
const broken = {
  'probe-missing-key': [
    'a read of a missing key is denied instead of answered "not found"',
    'grant s3:ListBucket on the bucket itself, besides the rights on its objects',
  ],
  'probe-put-if-absent': [
    'puts with If-None-Match: * on one key must have exactly one winner: without it two writers overwrite each other',
    `upgrade the store to one with conditional writes, or ${useAnother}`,
  ],
  'probe-compare-and-set': [
    'a put with If-Match must succeed on the ETag it names and on no other: without it commits get lost',
    `upgrade the store to one with conditional writes, or ${useAnother}`,
  ],
  'probe-read-after-write': [
    'a read must see the put before it: without it acknowledged data is missed',
    `put no cache before the store, or ${useAnother}`,
  ],
  'probe-list-after-write': [
    'a list must see the puts and deletes before it: without it data is missed or swept away',
    `put no cache before the store, or ${useAnother}`,
  ],
} as const;

function refuse(code: keyof typeof broken, seen: string): VivaceError {
  const [promise, remedy] = broken[code];
  return new VivaceError('invalid', code, `the object store cannot be used: ${promise} (seen: ${seen}); ${remedy}`);
}

async function probeMissingKey({ store, folder, call }: Probe): Promise<void> {
  const key = `${folder}/${keys.none}`;
  try {
    await store.get(key, call);
  } catch (error) {
    if (isKind(error, 'not-found')) return;
    // Denied for its own sake, or because the key is missing? A put tells.
    if (!(error instanceof VivaceError) || error.code !== 'access-denied') throw error;
    await store.put(key, [utf8Encode('probe')], call);
    await store.get(key, call);
    throw refuse('probe-missing-key', error.code);
  }
  throw refuse('probe-read-after-write', 'an object that was never put');
}

async function probePutIfAbsent(probe: Probe): Promise<void> {
  for (let races = 1; ; races++) {
    const unknown = await racePuts(probe);
    if (unknown === undefined) return;
    if (races === MAX_TRIES) throw unknown;
    await probe.store.delete(`${probe.folder}/${keys.race}`, probe.call);
  }
}

/** Returns what went wrong where too few of the racers heard how their put ended to say who won. */
async function racePuts({ store, folder, call }: Probe): Promise<VivaceError | undefined> {
  const key = `${folder}/${keys.race}`;
  const race = Array.from({ length: RACERS }, (_, racer) =>
    store.put(key, [utf8Encode(`racer ${racer}`)], { ...call, only: 'absent' }).then(
      () => 'won' as const,
      (error: unknown) => toVivaceError(error),
    ),
  );
  const outcomes = await Promise.all(race);
  const winners = outcomes.filter((outcome) => outcome === 'won').length;
  let unknown: VivaceError | undefined;
  let told = 0;
  for (const outcome of outcomes) {
    if (outcome === 'won' || outcome.kind === 'conflict') told++;
    else if (outcome.code === 'store-unsupported') throw refuse('probe-put-if-absent', outcome.message);
    else if (isTransient(outcome)) unknown = outcome;
    else throw outcome;
  }
  if (winners > 1 || (winners === 0 && unknown === undefined)) {
    throw refuse('probe-put-if-absent', `${winners} winners of ${RACERS}`);
  }
  if (told < RACERS / 2) return unknown;
  const text = await store.get(key, call).then(
    ({ bytes }) => Buffer.from(bytes).toString(),
    (error: unknown) => {
      if (winners === 0 && isKind(error, 'not-found')) return undefined;
      throw error;
    },
  );
  if (text === undefined) return unknown;
  const stored = outcomes.findIndex((_, racer) => text === `racer ${racer}`);
  const outcome = outcomes[stored];
  // Who heard nothing may have won.
  const won = winners === 1 ? outcome === 'won' : outcome instanceof VivaceError && outcome.kind !== 'conflict';
  if (!won) throw refuse('probe-put-if-absent', 'the bytes of a loser');
  return undefined;
}

async function probeCompareAndSet({ store, folder, call }: Probe): Promise<void> {
  const key = `${folder}/${keys.swap}`;
  /** The ETag of what was put, or why it was not. */
  const tryPut = (text: string, etag: string, at = key): Promise<string | VivaceError> =>
    store.put(at, [utf8Encode(text)], { ...call, only: { etag } }).then(
      (put) => put.etag,
      (reason: unknown) => {
        const error = toVivaceError(reason);
        if (error.code === 'store-unsupported') throw refuse('probe-compare-and-set', error.message);
        if (error.kind !== 'conflict' && !isTransient(error)) throw error;
        return error;
      },
    );
  const mustFail = async (text: string, etag: string, seen: string, at?: string) => {
    for (let tries = 1; ; tries++) {
      const outcome = await tryPut(text, etag, at);
      if (typeof outcome === 'string') throw refuse('probe-compare-and-set', seen);
      if (outcome.kind === 'conflict') return;
      if (tries === MAX_TRIES) throw outcome;
    }
  };
  const mustPut = async (text: string, etag: string): Promise<string> => {
    for (let tries = 1; ; tries++) {
      const outcome = await tryPut(text, etag);
      if (typeof outcome === 'string') return outcome;
      // Of a put that nobody heard of, a read tells.
      const read = await store.get(key, call);
      if (Buffer.from(read.bytes).toString() === text) return read.etag;
      if (outcome.kind === 'conflict') throw refuse('probe-compare-and-set', 'the right ETag was refused');
      if (tries === MAX_TRIES) throw outcome;
    }
  };

  const first = await store.put(key, [utf8Encode('first')], call);
  const second = await mustPut('second', first.etag);
  await mustFail('third', first.etag, 'a put on a stale ETag succeeded');
  await mustFail('none', second, 'a put with If-Match made a missing object', `${folder}/${keys.none}`);

  const read = await store.get(key, call);
  if (Buffer.from(read.bytes).toString() !== 'second' || read.etag !== second) {
    throw refuse('probe-read-after-write', 'an older state of the object');
  }
}

async function probeListing({ store, folder, call }: Probe): Promise<void> {
  const names = async () =>
    (await store.list(`${folder}/`, call)).objects.map((object) => object.key.slice(folder.length + 1)).join(' ');
  const before = await names();
  if (before !== `${keys.race} ${keys.swap}`) throw refuse('probe-list-after-write', `listed: ${before || 'nothing'}`);
  await store.delete(`${folder}/${keys.race}`, call);
  const after = await names();
  if (after !== keys.swap) throw refuse('probe-list-after-write', `listed after a delete: ${after || 'nothing'}`);
}
