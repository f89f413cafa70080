import {
  type ColumnizeLimits,
  type ColumnizeResult,
  Columnizer,
  ColumnSet,
  type ColumnSetView,
  type EncodedSpans,
  encodeSpans,
  MemoryPool,
} from '@vivace/columns';
import { isKind, toVivaceError } from '@vivace/kernel';

/** What became of one request: counted, or refused as a whole because it cannot be decoded. */
export type PushOutcome = ColumnizeResult | { malformed: string } | { defect: string };

export interface SealedHead {
  generation: number;
  view: ColumnSetView;
  /** Live rows. */
  rows: number;
}

/** What a head holds at one moment. */
export interface HeadView {
  /** No other view has it, nor will one. */
  id: string;
  /** The column set, the same in every view of it; rows keep their numbers in it. */
  set: number;
  view: ColumnSetView;
}

const NO_LIMITS: ColumnizeLimits = {
  maxAttributeBytes: Number.POSITIVE_INFINITY,
  maxTraceBytes: Number.POSITIVE_INFINITY,
};

export interface HeadsOptions {
  limits: ColumnizeLimits;
  maxColumns: number;
  /** Of the hash tables: a number that senders cannot know. */
  seed: number;
  /** Memory that is kept when it is let go of, for what comes next. It counts nowhere. Default none. */
  poolBytes?: number;
}

interface Sealed {
  head: string;
  set: ColumnSet;
  size: number;
}

/**
 * All heads of an ingester, in memory of one thread: for each an open column set that requests go to, and
 * the sealed ones whose blocks are not committed yet. A head is named by its owner, see ingester.ts.
 */
export class Heads {
  readonly #limits: ColumnizeLimits;
  readonly #maxColumns: number;
  readonly #seed: number;
  readonly #open = new Map<string, { set: ColumnSet; columnizer: Columnizer; size: number }>();
  readonly #sealed = new Map<number, Sealed>();
  readonly #pool: MemoryPool;
  #nextGeneration = 1;
  #nextView = 1;
  readonly #setNumbers = new WeakMap<ColumnSet, number>();
  #nextSet = 1;
  #sealedSize = 0;
  #openSize = 0;

  constructor(options: HeadsOptions) {
    this.#pool = new MemoryPool(options.poolBytes ?? 0);
    this.#limits = options.limits;
    this.#maxColumns = options.maxColumns;
    this.#seed = options.seed;
  }

  /** Bytes of all column sets, open and sealed. */
  get size(): number {
    return this.#openSize + this.#sealedSize;
  }

  /**
   * Adds the spans of an encoded export request to a head, which is opened if need be. `acknowledged`: the request
   * was taken before, so the limits of a head opened by it have had their say. They may be lower today, and a trace
   * that went into two heads then goes into one now.
   */
  push(head: string, request: Uint8Array, acknowledged = false): PushOutcome {
    let open = this.#open.get(head);
    if (open === undefined) {
      const set = new ColumnSet({ seed: this.#seed, maxColumns: this.#maxColumns, pool: this.#pool });
      open = { set, columnizer: new Columnizer(set, acknowledged ? NO_LIMITS : this.#limits), size: 0 };
      this.#open.set(head, open);
    }
    try {
      return open.columnizer.add(request);
    } catch (error) {
      if (isKind(error, 'data')) return { malformed: error.message };
      // One request that trips over a defect must not fail those it shares a batch with.
      return { defect: toVivaceError(error).message };
    } finally {
      const size = open.set.size;
      this.#openSize += size - open.size;
      open.size = size;
    }
  }

  /** Bytes of the open column set of a head; of what it will take soon, where it has to grow. */
  sizeOf(head: string): number {
    return this.#open.get(head)?.set.sizeSoon ?? 0;
  }

  /** Ends the open column set of a head; later requests go to a new one. Undefined where there is none. */
  seal(head: string): SealedHead | undefined {
    const open = this.#open.get(head);
    if (open === undefined) return undefined;
    this.#open.delete(head);
    this.#openSize -= open.size;
    this.#sealedSize += open.size;
    const generation = this.#nextGeneration++;
    this.#sealed.set(generation, { head, set: open.set, size: open.size });
    return { generation, view: open.set.view(), rows: open.set.count - open.set.deadCount };
  }

  /** Forgets a sealed generation; its view is not used any more. */
  drop(generation: number): void {
    const sealed = this.#sealed.get(generation);
    if (sealed === undefined) return;
    this.#sealed.delete(generation);
    this.#sealedSize -= sealed.size;
    sealed.set.release();
  }

  /** Lets go of memory that nothing is in. */
  trim(): void {
    this.#pool.clear();
  }

  /** The open and the sealed column sets of these heads as they are now, for queries. */
  views(heads: readonly string[]): HeadView[] {
    return this.#setsOf(heads).map((set) => {
      const view = set.lentView();
      // A resend may still kill a row of the view while it is read; its successor is not in the view.
      return {
        id: `head-${this.#nextView++}`,
        set: this.#numberOf(set),
        view: { ...view, dead: view.dead.slice(0, view.spanCount) },
      };
    });
  }

  #numberOf(set: ColumnSet): number {
    let number = this.#setNumbers.get(set);
    if (number === undefined) {
      number = this.#nextSet++;
      this.#setNumbers.set(set, number);
    }
    return number;
  }

  #setsOf(heads: readonly string[]): ColumnSet[] {
    const sets: ColumnSet[] = [];
    for (const { head, set } of this.#sealed.values()) if (heads.includes(head)) sets.push(set);
    for (const head of heads) {
      const open = this.#open.get(head);
      if (open !== undefined) sets.push(open.set);
    }
    return sets;
  }

  /** What the open and the sealed column sets of these heads hold of a trace (16 bytes). */
  trace(heads: readonly string[], id: Uint8Array): EncodedSpans[] {
    const sets = this.#setsOf(heads);
    const words = new DataView(id.buffer, id.byteOffset, 16);
    const found: EncodedSpans[] = [];
    for (const set of sets) {
      const trace = set.traces.find(
        words.getInt32(0, true),
        words.getInt32(4, true),
        words.getInt32(8, true),
        words.getInt32(12, true),
      );
      if (trace < 0) continue;
      const spans = encodeSpans(set.view(), set.traces.rows(trace));
      if (spans.count > 0) found.push(spans);
    }
    return found;
  }
}
