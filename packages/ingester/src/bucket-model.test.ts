import { concatBytes } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import { simulate, Violation } from '@vivace/manifest/testing';
import type { ObjectStore } from '@vivace/object-store';
import { readLeaseObject, segmentKey } from '@vivace/wal/testing';
import { describe, expect, test } from 'vitest';
import { bucketLogFormat, openModelBucketLog } from './testing/bucket-model.ts';
import { type BreakParts, createCoordinators } from './testing/model-coordinator.ts';
import { overridden } from './testing/overridden.ts';

/*
 * The real ingester on the real log in the simulated bucket of @vivace/manifest/testing, up to four of them at a time:
 * calls land late, twice or never, processes stall for days, die, wake up after others have taken their streams over,
 * and have clocks that are wrong by up to ten days. Leases are old all the time, so that streams of living processes
 * are taken over, too.
 */

const SEEDS = Number(process.env['VIVACE_MODEL_SEEDS'] ?? 300);
/** More than any of the broken variants needs. */
const SEEDS_TO_NOTICE = 5000;
const FIRST = Number(process.env['VIVACE_MODEL_FIRST'] ?? 1);

test('what is acknowledged stays, once, whoever takes over whose log', { timeout: 7_200_000 }, async () => {
  let acknowledged = 0;
  let steps = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const result = await play(seed);
    acknowledged += result.acknowledged;
    steps += result.steps;
  }
  console.info(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: ${acknowledged} records acknowledged in ${steps} steps`);
  expect(acknowledged).toBeGreaterThan(5 * SEEDS);
});

/** Rules of the protocol, each broken by itself. */
const broken: Record<string, Parts> = {
  'a push is acknowledged before it is durable': {
    breakParts: (parts) => ({
      ...parts,
      log: overridden(parts.log, {
        append: (tenant, record) => {
          const { position } = parts.log.append(tenant, record);
          return { position, durable: Promise.resolve() };
        },
      }),
    }),
  },
  'a segment is put over what is in its place': {
    store: (store) => {
      const put: ObjectStore['put'] = (key, body, options = {}) => {
        if (!key.startsWith('wal/')) return store.put(key, body, options);
        const { only: _, ...rest } = options;
        return store.put(key, body, rest);
      };
      return overridden(store, { put });
    },
  },
  'a lease is written over what somebody else has written': {
    store: (store) => {
      const put: ObjectStore['put'] = (key, body, options = {}) => {
        if (!key.startsWith('streams/') || options.only === 'absent') return store.put(key, body, options);
        const { only: _, ...rest } = options;
        return store.put(key, body, rest);
      };
      return overridden(store, { put });
    },
  },
  'segments are deleted before the lease says that they are dropped': {
    store: (store) => {
      const put: ObjectStore['put'] = async (key, body, options) => {
        const stream = key.startsWith('streams/') ? key.slice('streams/'.length) : undefined;
        if (stream !== undefined) {
          const { dropped } = readLeaseObject(concatBytes(body));
          if (dropped > 0) await store.delete(segmentKey({ stream, segment: dropped }), {}).catch(() => undefined);
        }
        return store.put(key, body, options);
      };
      return overridden(store, { put });
    },
  },
  'a seal goes with its stream': {
    store: (store) => {
      const remove: ObjectStore['delete'] = async (key, options) => {
        const stream = key.startsWith('streams/') ? key.slice('streams/'.length) : undefined;
        if (stream !== undefined) {
          const prefix = segmentKey({ stream, segment: 1 }).slice(0, -12);
          const left = await store.list(prefix).catch(() => ({ objects: [] }));
          for (const object of left.objects) await store.delete(object.key).catch(() => undefined);
        }
        return store.delete(key, options);
      };
      return overridden(store, { delete: remove });
    },
  },
  'a commit that was lost to others is made without its condition': {
    breakParts: (parts) => ({
      ...parts,
      manifest: (tenant) => {
        const manifest = parts.manifest(tenant);
        const commit: Manifest['commit'] = async (edit, signal) => {
          const result = await manifest.commit(edit, signal);
          return result.committed ? result : manifest.commit({ ...edit, cover: [] }, signal);
        };
        return overridden(manifest, { commit });
      },
    }),
  },
};

describe('the model notices when', () => {
  test.for(Object.keys(broken))('%s', { timeout: 600_000 }, async (name) => {
    let noticed: Violation | undefined;
    for (let seed = FIRST; noticed === undefined && seed < FIRST + SEEDS_TO_NOTICE; seed++) {
      noticed = await play(seed, broken[name]).then(
        () => undefined,
        (error: unknown) => error as Violation,
      );
    }
    expect(noticed, `not noticed in ${SEEDS_TO_NOTICE} seeds`).toBeInstanceOf(Violation);
    console.info(`${name}: ${noticed?.message}`);
  });
});

interface Parts {
  breakParts?: BreakParts;
  store?: (store: ObjectStore) => ObjectStore;
}

function play(seed: number, { breakParts, store }: Parts = {}) {
  const openCoordinator = createCoordinators({ openLog: openModelBucketLog, shared: true, breakParts });
  const sabotage = store === undefined ? {} : { store };
  return simulate({ seed, openCoordinator, sabotage, logFormat: bucketLogFormat, traces: SEEDS === 1 });
}
