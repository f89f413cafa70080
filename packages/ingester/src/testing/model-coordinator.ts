import { type Clock, isKind } from '@vivace/kernel';
import { blockKey, type Manifest } from '@vivace/manifest';
import {
  type Coordinator,
  type CoordinatorOptions,
  decodeBlock,
  encodeRecord,
  Violation,
} from '@vivace/manifest/testing';
import { createLogger } from '@vivace/telemetry';
import type { WriteAheadLog } from '@vivace/wal';
import type { BlockCutter } from '../block-cutter.ts';
import type { HeadBuilder } from '../head-builder.ts';
import { Ingester } from '../ingester.ts';
import { createModelLog } from './model-log.ts';
import { createRecordCutter, createRecordHeads, recordsOf } from './record-parts.ts';

/** The parts of an ingester, for a test to break one. */
interface ModelParts {
  log: WriteAheadLog;
  builder: HeadBuilder;
  cutter: BlockCutter;
  manifest: (tenant: string) => Manifest;
}

export type BreakParts = (parts: ModelParts) => ModelParts;

/** Of a process; as many long ones follow, and then only what the model lets happen ends them. */
const SHORT_ROOM_WAITS = 200;

interface CoordinatorsOptions {
  breakParts?: BreakParts | undefined;
  /** Opens the log with a clock whose long waits end when the model says so. Default: the model's own log. */
  openLog?: (options: CoordinatorOptions, clock: Clock) => Promise<WriteAheadLog>;
  /**
   * Several processes append at a time. Each is asked for what it has acknowledged itself, for nothing asks the
   * others; else for everything that was acknowledged.
   */
  shared?: boolean;
}

/**
 * The real ingester in the place of the model's own. In between it is queried for what was acknowledged, over all
 * processes of a simulation, which share what this returns.
 */
export function createCoordinators({ breakParts, openLog = openModelLog, shared = false }: CoordinatorsOptions = {}) {
  const acknowledgedByAll = new Map<number, string>();
  // One for each simulation: calls of processes that die never let go of it.
  const never = new AbortController().signal;
  return async (options: CoordinatorOptions): Promise<Coordinator> => {
    const { process, random, store } = options;
    const acknowledged = shared ? new Map<number, string>() : acknowledgedByAll;
    const timers = new Set<() => void>();
    let roomWaits = 0;
    // The tick comes when the model says so, or a quiet day would be 86,400 events.
    const clock: Clock = {
      ...process.clock,
      after: (_ms, callback) => {
        timers.add(callback);
        return () => timers.delete(callback);
      },
      // Who waits for room looks every 50 ms whether there is some, for days if nothing else happens any more.
      sleep: (ms, signal) => {
        if (!shared || ms !== 50 || roomWaits++ < SHORT_ROOM_WAITS) return process.clock.sleep(ms, signal);
        if (roomWaits < 2 * SHORT_ROOM_WAITS) return process.clock.sleep(600_000, signal);
        return new Promise((resolve) => timers.add(resolve));
      },
    };
    const log = await openLog(options, clock);
    const builder = createRecordHeads({ clock, random });
    const cutter = createRecordCutter({ clock, random });
    const whole = { log, builder, cutter, manifest: options.manifest };
    const parts = breakParts?.(whole) ?? whole;
    const ingester = new Ingester({
      ...parts,
      store,
      clock,
      random,
      logger: createLogger({ level: 'error', format: 'json', stream: { write: () => undefined } }),
      limits: {
        headsMaxBytes: 5 + (random.u32() % 25),
        generationMaxBytes: 2 + (random.u32() % 10),
        cutIntervalMs: 60_000,
        smallTenantCutIntervalMs: 60_000,
        logMaxBytes: Number.POSITIVE_INFINITY,
        logMaxSegments: 40,
      },
    });
    await ingester.start();

    const fireTimers = () => {
      const due = [...timers];
      timers.clear();
      for (const fire of due) fire();
    };

    /** What a query finds: heads first, the root after them. */
    const find = async (tenant: string): Promise<{ found: Set<number>; whole: boolean }> => {
      const head = await ingester.findTrace(tenant, new Uint8Array(16));
      const found = new Set(head.parts.flatMap(recordsOf));
      for (const maxAgeMs of [undefined, 0]) {
        const { live } = await options.manifest(tenant).snapshot(never, maxAgeMs === undefined ? {} : { maxAgeMs });
        try {
          for (const { id } of live) {
            for (const record of decodeBlock((await store.get(blockKey(tenant, id, 'block'))).bytes)) found.add(record);
          }
          return { found, whole: head.problems.every((problem) => shared && !problem.includes('replayed')) };
        } catch (error) {
          if (!isKind(error, 'not-found')) throw error;
        }
      }
      return { found, whole: false };
    };

    /** Each record acknowledged before is found, or the answer says that it is not whole. */
    const query = async (tenant: string): Promise<void> => {
      const expected = [...acknowledged].filter(([, owner]) => owner === tenant).map(([record]) => record);
      try {
        const { found, whole } = await find(tenant);
        const missing = expected.find((record) => !found.has(record));
        if (missing !== undefined && whole) throw new Violation(`record ${missing} of ${tenant} is not found`);
      } catch (error) {
        if (!isKind(error, 'unavailable', 'limited')) throw error;
      }
    };
    const queryAll = () => Promise.all([...new Set(acknowledged.values())].map(query));

    return {
      push: async (tenant, record) => {
        const bytes = new Uint8Array(new SharedArrayBuffer(encodeRecord(record).length));
        bytes.set(encodeRecord(record));
        await ingester.push(tenant, { bytes, release: () => undefined }, never);
        if (process.alive) acknowledged.set(record, tenant);
      },
      cut: async () => {
        fireTimers();
        if (random.u32() % 2 === 0) await flushed(ingester, never);
        await queryAll();
      },
      adopt: async () => {
        await queryAll();
        // A look finds streams, and the next one that they are closed.
        for (let looks = shared ? 3 : 1; looks > 0; looks--) {
          fireTimers();
          if (shared) await process.clock.sleep(10_000);
          await flushed(ingester, never);
        }
        await queryAll();
      },
      // It cannot compact.
      compact: query,
      // Rows are not kept apart by stream: within one process the order of reading does what coverage does between several.
      rows: () => 'stale',
    };
  };
}

async function openModelLog(options: CoordinatorOptions): Promise<WriteAheadLog> {
  return createModelLog(await options.openLog(() => undefined));
}

async function flushed(ingester: Ingester, signal: AbortSignal): Promise<void> {
  try {
    await ingester.flush(signal);
  } catch (error) {
    if (!isKind(error, 'unavailable')) throw error;
  }
}
