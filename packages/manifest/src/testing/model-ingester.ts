import { isKind, type Random, uuidV7 } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { BlockEntry } from '../block-entry.ts';
import type { CommitResult } from '../committer.ts';
import type { CoverStep, ManifestEdit } from '../edit.ts';
import type { Manifest } from '../manifest.ts';
import { blockKey } from '../paths.ts';
import type { HeadAnswer } from './model-query.ts';
import { blockContent, decodeRecord, encodeBlock, encodeRecord, isMisdated } from './records.ts';
import { retried, SimulatedLog } from './simulated-log.ts';
import type { SimulatedProcess } from './world.ts';

/**
 * What a simulated process does with the log and the manifest. The model's own is below; a real coordinator is
 * put in its place by a factory of the same form.
 */
export interface Coordinator {
  /** Resolves when the record is acknowledged; rejects when it is not, and then it may or may not be stored. */
  push(tenant: string, record: number): Promise<void>;
  /** Turns everything in heads into blocks, as far as the store lets it. */
  cut(): Promise<void>;
  /** Takes over the streams that it may take over, and turns what they hold into blocks. */
  adopt(streams: readonly string[]): Promise<void>;
  /** Whatever else it does with a tenant now and then. */
  compact?(tenant: string): Promise<void>;
  /** What its heads hold; see `HeadAnswer`. */
  rows(tenant: string, stream: string, above: number): HeadAnswer;
}

export interface CoordinatorOptions {
  process: SimulatedProcess;
  store: ObjectStore;
  random: Random;
  manifest: (tenant: string) => Manifest;
  openLog: (onFence: (stream: string, segment: number) => void) => Promise<SimulatedLog>;
  rules: CoordinatorRules;
}

/** Rules that a test can break. */
export interface CoordinatorRules {
  cutInsideSegment?: boolean;
  dropBeforeCommit?: boolean;
  commitBeforeObjects?: boolean;
  deleteWhenUnknown?: boolean;
}

interface Row {
  stream: string;
  segment: number;
  record: number;
}

const KEEP_COVERED_MS = 120_000;

export async function openModelIngester(options: CoordinatorOptions): Promise<Coordinator> {
  let ingester: ModelIngester | undefined;
  const log = await options.openLog((stream, segment) => ingester?.fenced(stream, segment));
  ingester = new ModelIngester(options, log);
  return ingester;
}

class ModelIngester implements Coordinator {
  readonly #options: CoordinatorOptions;
  /** One for each: calls of processes that die never let go of their signal. */
  readonly #never = new AbortController().signal;
  readonly #log: SimulatedLog;
  readonly #heads = new Map<string, Row[]>();
  /** How far generations were made, and committed, of `tenant stream`. */
  readonly #sealed = new Map<string, number>();
  readonly #covered = new Map<string, number>();
  /** Rows for queries, of `tenant stream`: those in heads, being cut, and cut a moment ago. */
  readonly #held = new Map<string, Row[]>();
  /** Of `tenant stream`: rows up to this segment were let go. */
  readonly #gone = new Map<string, number>();
  readonly #ownStreams = new Set<string>();
  readonly #adopted = new Map<string, { dropped: number; tenants: ReadonlySet<string> }>();
  /** Of these `tenant stream` somebody else covers the rest. */
  readonly #lost = new Set<string>();
  readonly #cuts = new Map<string, Promise<void>>();

  constructor(options: CoordinatorOptions, log: SimulatedLog) {
    this.#options = options;
    this.#log = log;
  }

  async push(tenant: string, record: number): Promise<void> {
    const { position, durable, refused } = this.#log.append(tenant, encodeRecord(record));
    if (refused) return durable;
    const rows = this.#heads.get(tenant) ?? [];
    const row = { ...position, record };
    rows.push(row);
    this.#heads.set(tenant, rows);
    this.#hold(`${tenant} ${position.stream}`, [row]);
    this.#ownStreams.add(position.stream);
    await durable;
  }

  fenced(stream: string, segment: number): void {
    for (const [tenant, rows] of this.#heads) {
      this.#heads.set(
        tenant,
        rows.filter((row) => row.stream !== stream || row.segment < segment),
      );
    }
    for (const [key, rows] of this.#held) {
      if (key.endsWith(` ${stream}`)) {
        this.#held.set(
          key,
          rows.filter((row) => row.segment < segment),
        );
      }
    }
  }

  rows(tenant: string, stream: string, above: number): HeadAnswer {
    const key = `${tenant} ${stream}`;
    const adopted = this.#adopted.get(stream);
    if (adopted !== undefined && !adopted.tenants.has(tenant)) return above < adopted.dropped ? 'stale' : [];
    const holds =
      adopted !== undefined
        ? this.#gone.has(key)
        : (this.#ownStreams.has(stream) || stream === this.#log.position.stream) && !this.#lost.has(key);
    if (!holds) return undefined;
    if ((this.#gone.get(key) ?? 0) > above) return 'stale';
    const rows = this.#held.get(key) ?? [];
    return rows.filter(({ segment }) => segment > above).map(({ record }) => record);
  }

  #hold(key: string, rows: readonly Row[]): void {
    const held = this.#held.get(key);
    if (held) held.push(...rows);
    else this.#held.set(key, [...rows]);
  }

  /** Lets go of what blocks hold, a while later: queries that know an older root still ask for it. */
  #release(key: string, upTo: number): void {
    const { clock, world } = this.#options.process;
    // The protocol has 2 minutes; now and then the memory is needed at once.
    clock.after(world.chance(0.5) ? 0 : KEEP_COVERED_MS, () => {
      this.#gone.set(key, Math.max(upTo, this.#gone.get(key) ?? 0));
      const rows = this.#held.get(key) ?? [];
      this.#held.set(
        key,
        rows.filter(({ segment }) => segment > upTo),
      );
    });
  }

  async cut(): Promise<void> {
    await Promise.all([...this.#heads.keys()].map((tenant) => this.#cutTenant(tenant)));
  }

  async adopt(streams: readonly string[]): Promise<void> {
    for (const stream of streams) {
      try {
        await this.#adoptStream(stream);
      } catch (error) {
        // Closed or dropped by somebody else, or our own.
        if (!isKind(error, 'not-found', 'conflict')) throw error;
      }
    }
  }

  #cutTenant(tenant: string): Promise<void> {
    const { rules } = this.#options;
    const last = rules.cutInsideSegment ? this.#log.position : this.#log.rotate();
    const rows = this.#heads.get(tenant) ?? [];
    this.#heads.delete(tenant);
    if (rows.length === 0) return this.#cuts.get(tenant) ?? Promise.resolve();
    // One generation a stream: whether the one is covered by somebody else says nothing about the other.
    const generations = new Map<string, Row[]>();
    for (const row of rows) {
      const generation = generations.get(row.stream);
      if (generation) generation.push(row);
      else generations.set(row.stream, [row]);
    }
    let cut = this.#cuts.get(tenant);
    for (const [stream, generation] of generations) {
      const key = `${tenant} ${stream}`;
      const from = this.#sealed.get(key) ?? 0;
      const to = stream === last.stream ? last.segment : Math.max(...generation.map(({ segment }) => segment));
      if (to <= from) continue;
      this.#sealed.set(key, to);
      cut = this.#writeCut(tenant, generation, { stream, from, to }, cut);
    }
    if (cut) this.#cuts.set(tenant, cut);
    return cut ?? Promise.resolve();
  }

  async #writeCut(tenant: string, rows: Row[], step: CoverStep, before: Promise<void> | undefined): Promise<void> {
    await before;
    const key = `${tenant} ${step.stream}`;
    // Somebody took the stream over: what was acknowledged of it is in that one's blocks.
    if (this.#lost.has(key)) return;
    if (this.#options.rules.dropBeforeCommit) {
      this.#covered.set(key, step.to);
      await this.#dropCovered();
    }
    const records = rows.map(({ record }) => record);
    const { committed } = await this.#store(tenant, records, [step]);
    if (committed) {
      this.#covered.set(key, step.to);
      this.#release(key, step.to);
    } else {
      this.#lost.add(key);
      this.#held.delete(key);
    }
    await this.#dropCovered();
  }

  async #dropCovered(): Promise<void> {
    for (const { stream, open, segments } of this.#log.streams()) {
      if (!open) continue;
      let last = 0;
      for (const { segment, tenants } of segments) {
        if (tenants.some((tenant) => (this.#covered.get(`${tenant} ${stream}`) ?? 0) < segment)) break;
        last = segment;
      }
      if (last > 0) await this.#log.drop({ stream, segment: last });
    }
  }

  async #adoptStream(stream: string): Promise<void> {
    const { dropped, segments } = await this.#log.seal(stream);
    const last = segments.at(-1)?.segment ?? 0;
    const tenants = new Set(segments.flatMap((segment) => segment.tenants));
    this.#adopted.set(stream, { dropped, tenants });
    for (const tenant of tenants) {
      for (;;) {
        const { process } = this.#options;
        const manifest = this.#options.manifest(tenant);
        const { covered } = await retried(process, () => manifest.snapshot(this.#never, { maxAgeMs: 0 }));
        const from = covered.get(stream) ?? 0;
        const above = segments.filter(({ segment, tenants: held }) => segment > from && held.includes(tenant));
        if (above.length === 0) break;
        const rows: Row[] = [];
        for (const { segment } of above) {
          for await (const { bytes } of this.#log.read({ stream, segment }, this.#never, tenant)) {
            rows.push({ stream, segment, record: decodeRecord(bytes) });
          }
        }
        const key = `${tenant} ${stream}`;
        this.#held.set(key, rows);
        this.#gone.set(key, from);
        const records = rows.map(({ record }) => record);
        const result = await this.#store(tenant, records, [{ stream, from, to: last }]);
        // Somebody else has closed the stream days ago, and what was read is a segment that landed after that.
        if (!result.committed && result.code === 'forgotten') {
          this.#held.delete(key);
          break;
        }
        if (result.committed) {
          this.#release(key, last);
          break;
        }
      }
    }
    await this.#log.drop({ stream, segment: last });
  }

  /** Puts the records as blocks and commits them; deletes those again when the commit is lost. */
  async #store(tenant: string, records: readonly number[], cover: readonly CoverStep[]): Promise<CommitResult> {
    const { process, random, rules, store } = this.#options;
    const manifest = this.#options.manifest(tenant);
    const groups = [records.filter((record) => !isMisdated(record)), records.filter(isMisdated)];
    const blocks = groups.filter((group) => group.length > 0).map((group) => ({ group, bytes: encodeBlock(group) }));
    const add: BlockEntry[] = [];
    const put = (entry: BlockEntry, bytes: Uint8Array) =>
      retried(process, () => store.put(blockKey(tenant, entry.id, 'block'), [bytes]));
    for (const { group, bytes } of blocks) {
      const id = uuidV7(await retried(process, () => manifest.storeTimeMs(this.#never)), random);
      const content = blockContent(bytes, group.length);
      const entry = { ...content, id, commitTimeMs: 0, level: 0, retentionClass: '', applied: 0 };
      const commitTimeMs = rules.commitBeforeObjects ? process.world.nowMs : (await put(entry, bytes)).storeTimeMs;
      add.push({ ...entry, commitTimeMs });
    }
    const result = await this.#commit(manifest, { add, remove: [], cover });
    if (rules.commitBeforeObjects && result.committed) {
      for (const [i, entry] of add.entries()) await put(entry, (blocks[i] as { bytes: Uint8Array }).bytes);
    }
    if (result.committed) return result;
    for (const { id } of add) await retried(process, () => store.delete(blockKey(tenant, id, 'block')));
    // We stalled for so long that an id has become too old.
    return result.code === 'floor' ? this.#store(tenant, records, cover) : result;
  }

  /** As long as it takes; at times it gives up in between and asks again. */
  async #commit(manifest: Manifest, edit: ManifestEdit): Promise<CommitResult> {
    const { process, rules, store } = this.#options;
    for (;;) {
      const abort = new AbortController();
      const cancel = process.world.chance(0.1)
        ? process.clock.after(process.world.below(3000), () => abort.abort())
        : undefined;
      try {
        return await manifest.commit(edit, abort.signal);
      } catch (error) {
        if (!isKind(error, 'unavailable', 'canceled')) throw error;
        if (rules.deleteWhenUnknown) {
          for (const { id } of edit.add) {
            await retried(process, () => store.delete(blockKey(manifest.tenant, id, 'block')));
          }
          return { committed: false, code: 'covered', reason: 'given up' };
        }
      } finally {
        cancel?.();
      }
    }
  }
}
