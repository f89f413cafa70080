import { type Clock, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { type ForeignSegment, readForeignStream, rereadForeignSegment } from '@vivace/wal';
import { STORE_PATIENCE_MS } from '../store-patience.ts';
import type { HeadRows } from './head-rows.ts';
import { SharedReading } from './shared-reading.ts';

export interface KeptLogOptions {
  stream: string;
  tenant: string;
  /** A name that no other head ever has. */
  head: string;
  store: ObjectStore;
  clock: Clock;
  rows: HeadRows;
  /** How far blocks cover the stream, of a root that was current a moment ago. */
  covered: (signal: AbortSignal) => Promise<number>;
  /** A column set of so many bytes is followed by another. */
  setMaxBytes: number;
  /** Told how large all heads are. */
  onSize: (bytes: number) => void;
  /** Lets go of what nobody uses while heads are larger than they may be; false where that does not suffice. */
  makeRoom: () => Promise<boolean>;
  /** Told of bytes that were read of the bucket. */
  onRead: (bytes: number) => void;
}

/** Damaged segments that are read again each time; of more, answers say that there are. */
const MAX_DAMAGED = 16;
/** What does not fit is not read again for so long, or until blocks hold more of it. */
const TOO_LARGE_MS = 30_000;

/** What a stream that no ingester answers for has of a tenant, in memory, from one query to the next. */
export class KeptLog {
  readonly #options: KeptLogOptions;
  readonly #reading = new SharedReading((signal) => this.#read(signal));
  /** Column sets that are full. */
  readonly #generations: number[] = [];
  readonly #damaged = new Map<number, string>();
  /** Damage that reading again would not mend. */
  readonly #lasting = new Set<string>();
  #lease: string | undefined;
  /** All up to here is in rows, in blocks, or damaged. */
  #through = 0;
  #hasRows = false;
  #tooLarge: { untilMs: number; covered: number; error: VivaceError } | undefined;
  /** Queries that use it. */
  holders = 0;
  /** How often its rows were let go because there is no room for them. */
  losses = 0;

  constructor(options: KeptLogOptions) {
    this.#options = options;
  }

  get stream(): string {
    return this.#options.stream;
  }

  get head(): string {
    return this.#options.head;
  }

  /** Whether nobody uses it, nor ends a reading that somebody has left. */
  get isIdle(): boolean {
    return this.holders === 0 && !this.#reading.isBusy;
  }

  /** What of it cannot be read, a line each. */
  get problems(): string[] {
    const segments = Array.from(this.#damaged, ([segment, reason]) => `segment ${segment}: ${reason}`);
    return [...(this.#lease === undefined ? [] : [this.#lease]), ...segments, ...this.#lasting];
  }

  /** Resolves when all that was acknowledged before the call is in rows, in roots that are read from then on, or damaged. */
  async readOn(signal: AbortSignal): Promise<void> {
    await this.#reading.wait(signal);
  }

  /** Forgets everything; nobody reads any more. */
  async close(): Promise<void> {
    await this.#reading.idle();
    await this.#clear();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, covered, store, stream, tenant } = this.#options;
    const from = await covered(signal);
    if (this.#tooLarge !== undefined) {
      const { untilMs, covered: before, error } = this.#tooLarge;
      if (from === before && clock.monotonicMs() < untilMs) throw error;
      this.#tooLarge = undefined;
    }
    if (from >= this.#through) {
      await this.#clear();
      this.#through = from;
    }
    const options = { store, clock, callTimeoutMs: STORE_PATIENCE_MS, signal };
    for (const segment of [...this.#damaged.keys()].slice(0, MAX_DAMAGED)) {
      if (segment <= from) this.#damaged.delete(segment);
      else await this.#add(await rereadForeignSegment(stream, tenant, segment, options), from);
    }
    this.#lease = undefined;
    const segments = readForeignStream(stream, tenant, this.#through, options);
    for (;;) {
      const { done, value } = await segments.next();
      if (done === true) {
        this.#through = Math.max(this.#through, value);
        return;
      }
      await this.#add(value, from);
      this.#through = Math.max(this.#through, value.segment);
    }
  }

  /** Not cut short: a segment is in rows or to be read. */
  async #add({ segment, records, bytes, damage }: ForeignSegment, covered: number): Promise<void> {
    const { head, makeRoom, onRead, onSize, rows, setMaxBytes } = this.#options;
    onRead(bytes);
    if (damage !== undefined) {
      if (segment === 0) this.#lease = damage;
      else if (this.#damaged.size < MAX_DAMAGED || this.#damaged.has(segment)) this.#damaged.set(segment, damage);
      else this.#lasting.add(`more than ${MAX_DAMAGED} segments are damaged`);
      return;
    }
    this.#damaged.delete(segment);
    if (records.length === 0) return;
    this.#hasRows = true;
    const { outcomes, sizes, size } = await rows.push(
      records.map((record) => ({ head, bytes: record, acknowledged: true })),
    );
    if (outcomes.some((outcome) => !('accepted' in outcome))) {
      this.#lasting.add(`segment ${segment}: a record cannot be decoded`);
    }
    onSize(size);
    if (!(await makeRoom())) await this.#giveUp(covered);
    if (sizes.some(([name, taken]) => name === head && taken >= setMaxBytes)) await this.#seal();
  }

  /** Throws. */
  async #giveUp(covered: number): Promise<never> {
    const { clock } = this.#options;
    const error = new VivaceError(
      'limited',
      'log-too-large',
      'what it has that is not in blocks is more than `querier.log_heads_bytes` lets a querier keep',
    );
    this.losses++;
    await this.#clear();
    this.#through = 0;
    this.#tooLarge = { untilMs: clock.monotonicMs() + TOO_LARGE_MS, covered, error };
    throw error;
  }

  async #seal(): Promise<void> {
    const sealed = await this.#options.rows.seal(this.#options.head);
    if (sealed !== undefined) this.#generations.push(sealed.generation);
  }

  async #clear(): Promise<void> {
    this.#damaged.clear();
    this.#lasting.clear();
    this.#lease = undefined;
    if (!this.#hasRows) return;
    this.#hasRows = false;
    await this.#seal();
    for (const generation of this.#generations.splice(0)) {
      this.#options.onSize(await this.#options.rows.drop(generation));
    }
  }
}
