import { VivaceError } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import { type SimulatedProcess, simulate, Violation } from '@vivace/manifest/testing';
import type { ObjectStore } from '@vivace/object-store';
import { describe, expect, test } from 'vitest';
import { type BreakParts, createCoordinators } from './testing/model-coordinator.ts';
import { overridden } from './testing/overridden.ts';
import { generationOf } from './testing/record-parts.ts';

/*
 * The real ingester (replay, block writer, coverage) with the real commit and sweep, in the simulated world of
 * @vivace/manifest/testing: log and store on a bucket whose answers come late, twice or never, processes that stall
 * for days and die. One process appends at a time, as on a disk. After each stretch of events the bucket is
 * checked, and queries are checked against what was acknowledged.
 */

const SEEDS = Number(process.env['VIVACE_MODEL_SEEDS'] ?? 2000);
const FIRST = Number(process.env['VIVACE_MODEL_FIRST'] ?? 1);
/** More than any of the broken variants needs; a seed takes about 10 ms. */
const SEEDS_TO_NOTICE = 400;

test('what is acknowledged stays, once, and is found, whatever dies, stalls or answers late', {
  timeout: 600_000,
}, async () => {
  let acknowledged = 0;
  let steps = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const result = await play(seed);
    acknowledged += result.acknowledged;
    steps += result.steps;
  }
  console.info(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: ${acknowledged} records acknowledged in ${steps} steps`);
  expect(acknowledged).toBeGreaterThan(10 * SEEDS);
});

const broken: Record<string, BreakParts> = {
  'the segment is ended before the builder has answered': (parts) => {
    const { log, builder } = parts;
    let last = log.rotate();
    return {
      ...parts,
      log: overridden(log, { rotate: () => last }),
      builder: overridden(builder, {
        seal: (head) => {
          last = log.rotate();
          return builder.seal(head);
        },
      }),
    };
  },
  'the builder answers out of order': (parts) => {
    const { builder } = parts;
    return {
      ...parts,
      builder: overridden(builder, {
        push: async (requests) => {
          const reply = await builder.push(requests);
          await builder.trace([], new Uint8Array(16));
          return reply;
        },
      }),
    };
  },
  'coverage reaches beyond the segment that was ended': (parts) => {
    const { log } = parts;
    const rotate = () => {
      const { stream, segment } = log.rotate();
      return { stream, segment: segment + 1 };
    };
    return { ...parts, log: overridden(log, { rotate }) };
  },
  'segments are dropped before the commit': (parts) => ({
    ...parts,
    manifest: (tenant) => {
      const manifest = parts.manifest(tenant);
      const commit: Manifest['commit'] = async (edit, signal) => {
        for (const { stream, to } of edit.cover) await parts.log.drop({ stream, segment: to }).catch(() => undefined);
        return manifest.commit(edit, signal);
      };
      return overridden(manifest, { commit });
    },
  }),
  'a push is acknowledged before it is durable': (parts) => ({
    ...parts,
    log: overridden(parts.log, {
      append: (tenant, record) => {
        const { position } = parts.log.append(tenant, record);
        return { position, durable: Promise.resolve() };
      },
    }),
  }),
  'a generation leaves the heads before its commit': (parts) => ({
    ...parts,
    cutter: {
      ...parts.cutter,
      cut: async (view, options) => {
        await parts.builder.drop(generationOf(view));
        return parts.cutter.cut(view, options);
      },
    },
  }),
  'a commit that was lost is taken for one that was made': (parts) => ({
    ...parts,
    manifest: (tenant) => {
      const manifest = parts.manifest(tenant);
      const commit: Manifest['commit'] = async (edit, signal) => {
        await manifest.commit(edit, signal).catch(() => undefined);
        return { committed: true, version: 0 };
      };
      return overridden(manifest, { commit });
    },
  }),
};

describe('the model notices when', () => {
  test.for(Object.keys(broken))('%s', { timeout: 600_000 }, async (name) => {
    let noticed: Violation | undefined;
    let seed = FIRST;
    for (; noticed === undefined && seed < FIRST + SEEDS_TO_NOTICE; seed++) {
      noticed = await play(seed, broken[name]).then(
        () => undefined,
        (error: unknown) => error as Violation,
      );
    }
    expect(noticed, `not noticed in ${SEEDS_TO_NOTICE} seeds`).toBeInstanceOf(Violation);
    console.info(`${name}: ${noticed?.message}`);
  });
});

/** In every second seed commits hang often, and those of a dead process land when the next one has just read the root. */
function play(seed: number, breakParts?: BreakParts) {
  const sabotage = seed % 2 === 0 ? { store: hangingCommits() } : {};
  return simulate({
    seed,
    exclusive: true,
    openCoordinator: createCoordinators({ breakParts }),
    sabotage,
    stimuli: 50,
  });
}

function hangingCommits(): (store: ObjectStore, process: SimulatedProcess) => ObjectStore {
  const hanging: { key: string; by: SimulatedProcess; land: () => void }[] = [];
  return (store, process) => {
    const { world, clock } = process;
    const put: ObjectStore['put'] = async (key, body, options) => {
      if (!key.endsWith('/root') || !world.chance(0.3)) return store.put(key, body, options);
      const { signal, ...withoutSignal } = options ?? {};
      const land = () => {
        store.put(key, body, withoutSignal).catch(() => undefined);
      };
      hanging.push({ key, by: process, land });
      await clock.sleep(world.below(300_000), signal);
      throw new VivaceError('unavailable', 'store-timeout', 'timeout');
    };
    const get: ObjectStore['get'] = async (key, options) => {
      const object = await store.get(key, options);
      for (const { key: of, by, land } of hanging) {
        if (of === key && !by.alive) world.after(world.below(200), undefined, land);
      }
      return object;
    };
    return overridden(store, { get, put });
  };
}
