import { type Clock, toVivaceError } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { HeadRows } from './head-rows.ts';
import { KeptLog } from './kept-log.ts';

export interface LogHeadsOptions {
  store: ObjectStore;
  clock: Clock;
  manifest: (tenant: string) => Manifest;
  /** Called once, when the first stream is read. */
  startRows: () => HeadRows;
  /** For what is kept of all streams and tenants. */
  maxBytes: number;
  /** Of one column set. */
  setMaxBytes: number;
}

/** What became of reading some streams. */
export interface LogAnswer<Found> {
  found: Found;
  /** Streams of which something could not be read → why, a line each. */
  problems: Map<string, string[]>;
}

/** Streams that one query reads at a time. */
const CONCURRENCY = 4;
/** Streams that one query reads. */
const MAX_STREAMS = 256;
/** Streams of tenants that something is known of; rows are bounded in bytes. */
const MAX_KEPT = 1000;

/**
 * Streams of the log that no ingester answers for, read from the bucket: everything acknowledged is durable there. What
 * was read of a stream is kept for the next query, which reads on from there, as long as no ingester answers for it.
 */
export class LogHeads {
  readonly #options: LogHeadsOptions;
  /** By tenant and stream, in the order of their last use. */
  readonly #kept = new Map<string, KeptLog>();
  #rows: HeadRows | undefined;
  #heads = 0;
  #bytes = 0;
  readonly counts = { streams: 0, failures: 0, bytes: 0 };

  constructor(options: LogHeadsOptions) {
    this.#options = options;
  }

  /** Bytes of the heads. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Of other streams nothing is kept any more, unless a query uses it now: they are closed, or somebody answers for them,
   * though perhaps not always.
   */
  keepOnly(streams: ReadonlySet<string>): void {
    for (const [key, log] of this.#kept) if (log.holders === 0 && !streams.has(log.stream)) void this.#forget(key, log);
  }

  /**
   * Has `look` look into what the streams hold of a tenant and blocks do not: a root that is read afterwards has the
   * rest. Rejects only as `signal` says; `patience` ends the reading with a problem.
   */
  async read<Found>(
    tenant: string,
    streams: readonly string[],
    look: (rows: HeadRows, heads: readonly string[]) => Promise<Found>,
    { signal, patience }: { signal: AbortSignal; patience: AbortSignal },
  ): Promise<LogAnswer<Found>> {
    this.#rows ??= this.#options.startRows();
    const rows = this.#rows;
    const logs = streams.slice(0, MAX_STREAMS).map((stream) => this.#hold(tenant, stream, rows));
    const problems = new Map<string, string[]>();
    for (const stream of streams.slice(MAX_STREAMS)) problems.set(stream, ['too many streams are without an answer']);
    const losses = new Map<KeptLog, number>();
    const either = AbortSignal.any([signal, patience]);
    try {
      const waiting = logs.values();
      const lane = async (): Promise<void> => {
        for (const log of waiting) {
          try {
            await log.readOn(either);
            losses.set(log, log.losses);
            this.counts.streams++;
          } catch (error) {
            signal.throwIfAborted();
            this.counts.failures++;
            const reason = patience.aborted ? 'it is still being read' : toVivaceError(error).message;
            problems.set(log.stream, [reason]);
          }
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, lane));
      const found = await look(
        rows,
        logs.map(({ head }) => head),
      );
      for (const log of logs) {
        const reasons = problems.get(log.stream) ?? log.problems;
        if (log.losses !== (losses.get(log) ?? log.losses)) reasons.push('there was no room for it any more');
        if (reasons.length > 0) problems.set(log.stream, reasons);
      }
      return { found, problems };
    } finally {
      for (const log of logs) log.holders--;
      this.#trim();
    }
  }

  #hold(tenant: string, stream: string, rows: HeadRows): KeptLog {
    // No tenant has a slash in its name.
    const key = `${tenant}/${stream}`;
    const log = this.#kept.get(key) ?? this.#open(tenant, stream, rows);
    this.#kept.delete(key);
    this.#kept.set(key, log);
    log.holders++;
    return log;
  }

  #open(tenant: string, stream: string, rows: HeadRows): KeptLog {
    const { store, clock, manifest, setMaxBytes, maxBytes } = this.#options;
    return new KeptLog({
      stream,
      tenant,
      head: `${this.#heads++}`,
      store,
      clock,
      rows,
      setMaxBytes,
      covered: async (signal) => (await manifest(tenant).snapshot(signal)).covered.get(stream) ?? 0,
      onSize: (bytes) => {
        this.#bytes = bytes;
      },
      makeRoom: async () => {
        for (const [key, log] of this.#kept) {
          if (this.#bytes <= maxBytes) return true;
          // One that ends a reading may be about to make room itself, and would be waited for in a circle.
          if (!log.isIdle) continue;
          await this.#forget(key, log);
        }
        return this.#bytes <= maxBytes;
      },
      onRead: (bytes) => {
        this.counts.bytes += bytes;
      },
    });
  }

  #trim(): void {
    for (const [key, log] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT) return;
      if (log.holders === 0) void this.#forget(key, log);
    }
  }

  async #forget(key: string, log: KeptLog): Promise<void> {
    this.#kept.delete(key);
    await log.close();
  }
}
