import { isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { CommitResult } from '../committer.ts';
import type { Manifest, ManifestContents } from '../manifest.ts';
import { decodeTenant } from '../paths.ts';
import { decodeRoot, encodeRoot } from '../root.ts';
import { retried } from './simulated-log.ts';
import type { Sabotage } from './simulation.ts';
import type { SimulatedProcess } from './world.ts';

/**
 * Each rule of the protocol, broken. A simulation that does not notice one of them proves nothing about it. A
 * fresh one for each run: some remember what they saw.
 */
export const SABOTAGES: Record<string, () => Sabotage> = {
  'a record is acknowledged before its segment is durable': () => ({ log: { ackBeforeDurable: true } }),
  'a record is acknowledged before the segments below its own are durable': () => ({ log: { ackOutOfOrder: true } }),
  'a seal trusts the lease that was read before it was put': () => ({ log: { sealTrustsOldLease: true } }),
  'segments are deleted before the lease says that they are dropped': () => ({ log: { deleteBeforeDropped: true } }),
  'a seal is deleted as a segment that is covered and was never durable': () => ({
    log: { dropUndurable: true, deleteSeals: true },
  }),
  'a seal is deleted with what is above another seal': () => ({ log: { deleteSeals: true } }),
  'a generation ends inside a segment': () => ({ coordinator: { cutInsideSegment: true } }),
  'the log is dropped before the commit': () => ({ coordinator: { dropBeforeCommit: true } }),
  'a commit comes before its objects': () => ({ coordinator: { commitBeforeObjects: true } }),
  'objects are deleted when the outcome of their commit is unknown': () => ({
    coordinator: { deleteWhenUnknown: true },
  }),
  'a commit is lost as soon as a put of the root was answered by anything but 2xx': () => giveUpOn(() => true),
  'a commit is lost as soon as a put of the root was answered by 412': () =>
    giveUpOn((error) => isKind(error, 'conflict') && error.code === 'precondition-failed'),
  'the root is put without a condition': () => ({ store: (store) => rootPuts(store, (put) => put(undefined)) }),
  'a step of coverage is not checked against where it stands': () => ({ manifest: coverFromAnywhere }),
  'coverage is forgotten before the floor is above its stream': () => ({ store: forgetfulRoot }),
  'a query takes a root that is older than its list of streams': () => ({ query: { rootOlderThanList: true } }),
  'a query takes what a head has left when the head has let go of rows': () => ({ query: { ignoreStale: true } }),
  'a query does not care that nobody answers for a stream': () => ({ query: { ignoreSilence: true } }),
  'a query takes longer than coverage and removed blocks are kept for it': () => ({ query: { noTimeLimit: true } }),
  'a stream takes records before every list of streams can have it': () => ({ log: { acceptAtOnce: true } }),
  'the sweep deletes what is below a floor that it has not committed': () => ({ manifest: floorOnlyThought }),
  'the floor rises above a stream that is still open': () => ({ sweepIgnoresStreams: true }),
  'objects of removed blocks are deleted without a grace': () => ({ sweepWithoutGrace: true }),
  'a merge takes its inputs away before it has their successor': () => ({ compactor: { removeBefore: true } }),
  'a merge takes its inputs away after their successor is live': () => ({ compactor: { removeAfter: true } }),
  'a merge takes away what is left of its inputs': () => ({ compactor: { removeWhatIsLeft: true } }),
  'a merge deletes the objects of its inputs itself': () => ({ compactor: { deleteInputs: true } }),
  'a merge forgets what rules have decided': () => ({ compactor: { forgetClasses: true } }),
  'a merge gives all traces the class of its first block': () => ({ compactor: { classOfFirst: true } }),
  'a merged block of impossible times is as old as its oldest part': () => ({ compactor: { agesMisdated: true } }),
  'blocks expire by the clock of the process': () => ({ compactor: { expireByOwnClock: true } }),
  'blocks that no rule has looked at expire as if none had matched': () => ({
    compactor: { expireUnclassified: true },
  }),
  'blocks of impossible times expire by them': () => ({ compactor: { expireMisdatedByData: true } }),
};

type RootPut = (
  only: { etag: string } | 'absent' | undefined,
  body?: readonly Uint8Array[],
) => Promise<{
  etag: string;
  storeTimeMs: number;
}>;

/** A store whose puts of roots go through `change`. */
function rootPuts(
  store: ObjectStore,
  change: (put: RootPut, key: string, body: readonly Uint8Array[], only: Parameters<RootPut>[0]) => ReturnType<RootPut>,
): ObjectStore {
  return {
    ...store,
    put: (key, body, { only, signal } = {}) => {
      const put: RootPut = (condition, other = body) =>
        store.put(key, other, { ...(condition && { only: condition }), ...(signal && { signal }) });
      return key.endsWith('/root') ? change(put, key, body, only) : put(only);
    },
  };
}

function giveUpOn(isFailure: (error: unknown) => boolean): Sabotage {
  const listeners = new Map<SimulatedProcess, Set<() => void>>();
  return {
    store: (store, process) => {
      const own = new Set<() => void>();
      listeners.set(process, own);
      return rootPuts(store, async (put, _key, _body, only) => {
        try {
          return await put(only);
        } catch (error) {
          if (isFailure(error)) for (const listener of own) listener();
          throw error;
        }
      });
    },
    manifest: (manifest, process) => ({
      ...manifest,
      commit: (edit, signal) => {
        if (edit.add.length === 0) return manifest.commit(edit, signal);
        return new Promise((resolve, reject) => {
          const giveUp = () => finish(() => resolve({ committed: false, code: 'covered', reason: 'given up' }));
          const finish = (settle: () => void) => {
            listeners.get(process)?.delete(giveUp);
            settle();
          };
          listeners.get(process)?.add(giveUp);
          manifest.commit(edit, signal).then(
            (result) => finish(() => resolve(result)),
            (error: Error) => finish(() => reject(error)),
          );
        });
      },
    }),
  };
}

function coverFromAnywhere(manifest: Manifest, process: SimulatedProcess): Manifest {
  return {
    ...manifest,
    commit: async (edit, signal): Promise<CommitResult> => {
      for (;;) {
        const { covered } = await retried(process, () => manifest.snapshot(signal, { maxAgeMs: 0 }));
        const cover = edit.cover
          .map((step) => ({ ...step, from: covered.get(step.stream) ?? 0 }))
          .filter(({ from, to }) => from < to);
        try {
          const result = await manifest.commit({ ...edit, cover }, signal);
          if (result.committed || result.code !== 'covered') return result;
          if (edit.cover.some(({ stream }) => !covered.has(stream))) return result;
        } catch (error) {
          if (!isKind(error, 'conflict')) throw error;
        }
      }
    },
  };
}

/** Forgets the oldest stream that it knows of, when there are several. */
function forgetfulRoot(store: ObjectStore): ObjectStore {
  return rootPuts(store, (put, key, body, only) => {
    const root = decodeRoot(body[0] as Uint8Array, decodeTenant(key.split('/')[1] as string), 0);
    if (root.covered.size > 1) root.covered.delete([...root.covered.keys()].sort()[0] as string);
    return put(only, [encodeRoot(root)]);
  });
}

function floorOnlyThought(manifest: Manifest): Manifest {
  let floor = 0;
  return {
    ...manifest,
    commit: async (edit, signal) => {
      if (edit.floorMs === undefined) return manifest.commit(edit, signal);
      floor = edit.floorMs;
      return { committed: true, version: 0 };
    },
    inspect: async (signal): Promise<ManifestContents> => ({ ...(await manifest.inspect(signal)), floorMs: floor }),
  };
}
