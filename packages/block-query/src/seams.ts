import { assert } from '@vivace/kernel';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';

/**
 * Finds the traces of which several sources have spans: seams (docs/query.md, "Whole traces"). Traces are told apart
 * by eight bytes of their ids; two that share them are looked at together, and then told apart.
 */
export interface Seams {
  /** By source and batch: the traces that other sources have too, one byte a trace; undefined where there is none. */
  flags(source: string, batch: number): Uint8Array | undefined;
  /** Parts of a trace that is flagged, its own included. */
  parts(part: TracePart): readonly TracePart[];
}

export interface TracePart {
  /** Id of the source. */
  source: string;
  batch: number;
  trace: number;
}

/** What the blocks of the last queries have in common: blocks never change, and most queries are about the same. */
const known = new Map<string, KeyTable>();
const MAX_KNOWN = 4;

/** Of a single source there are none. */
const NO_SEAMS: Seams = { flags: () => undefined, parts: () => [] };

/** Sources have ids of their own. Rejects with `SourceFailure` where the traces of a source cannot be listed. */
export async function findSeams(sources: readonly Source[], signal: AbortSignal): Promise<Seams> {
  if (sources.length < 2) return NO_SEAMS;
  assert(new Set(sources.map(({ id }) => id)).size === sources.length, 'sources have ids of their own');
  const blocks = sources.filter(({ immutable }) => immutable);
  const key = blocks.map(({ id }) => id).join();
  let table = known.get(key);
  if (table === undefined) {
    table = await tableOf(blocks, undefined, signal);
    known.set(key, table);
    if (known.size > MAX_KNOWN) known.delete(known.keys().next().value as string);
  }
  const heads = sources.filter(({ immutable }) => !immutable);
  return heads.length === 0 ? table : tableOf(heads, table, signal);
}

async function tableOf(sources: readonly Source[], base: KeyTable | undefined, signal: AbortSignal): Promise<KeyTable> {
  const lists: KeyList[] = [];
  for (const source of sources) {
    await atSource(source, signal, async () => {
      const batches = await source.batches(signal);
      for (let batch = 0; batch < batches.length; batch++) {
        lists.push({ source: source.id, batch, words: wordsOf(await source.traceKeys(batch, signal)) });
      }
    });
  }
  return new KeyTable(lists, base);
}

/** Keys of the traces of a batch, two words each. */
interface KeyList {
  source: string;
  batch: number;
  words: Int32Array;
}

/** Traces by key: of some sources, over those of a base. */
class KeyTable implements Seams {
  readonly #lists: readonly KeyList[];
  readonly #base: KeyTable | undefined;
  /** Open addressing: 1 + the number of an entry. */
  readonly #slots: Int32Array;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  /** Where an entry was seen first. */
  readonly #list: Int32Array;
  readonly #trace: Int32Array;
  #count = 0;
  /** All parts of the traces that several sources have, by key; flags by source and batch. */
  readonly #parts: Map<string, TracePart[]>;
  readonly #flags: Map<string, Uint8Array>;

  constructor(lists: readonly KeyList[], base: KeyTable | undefined) {
    const total = lists.reduce((sum, { words }) => sum + words.length / 2, 0);
    this.#lists = lists;
    this.#base = base;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * total + 2)));
    this.#low = new Int32Array(total);
    this.#high = new Int32Array(total);
    this.#list = new Int32Array(total);
    this.#trace = new Int32Array(total);
    this.#parts = new Map(base && base.#parts);
    this.#flags = new Map(base && base.#flags);
    const shared = new Set<string>();
    for (const [number, { words }] of lists.entries()) {
      for (let i = 0; i < words.length; i += 2)
        this.#add(words[i] as number, words[i + 1] as number, number, i / 2, shared);
    }
    for (const key of shared) for (const part of this.#parts.get(key) ?? []) this.#flag(part);
  }

  flags(source: string, batch: number): Uint8Array | undefined {
    return this.#flags.get(`${source} ${batch}`);
  }

  parts({ source, batch, trace }: TracePart): readonly TracePart[] {
    const words = this.#wordsOf(source, batch);
    return (words && this.#parts.get(`${words[2 * trace]} ${words[2 * trace + 1]}`)) ?? [];
  }

  #add(low: number, high: number, list: number, trace: number, shared: Set<string>): void {
    const entry = this.#find(low, high);
    const first = entry >= 0 ? this.#place(entry) : this.#base?.first(low, high);
    if (first !== undefined) {
      const part = this.#partOf(list, trace);
      const key = `${low} ${high}`;
      const parts = [...(this.#parts.get(key) ?? [first]), part];
      this.#parts.set(key, parts);
      // Two traces of one source that have their eight bytes in common are no seam.
      if (parts.some(({ source }) => source !== part.source)) shared.add(key);
      return;
    }
    const next = this.#count++;
    this.#slots[-1 - entry] = next + 1;
    this.#low[next] = low;
    this.#high[next] = high;
    this.#list[next] = list;
    this.#trace[next] = trace;
  }

  /** The first part that has a key, here or in the base. */
  first(low: number, high: number): TracePart | undefined {
    const entry = this.#find(low, high);
    return entry >= 0 ? this.#place(entry) : this.#base?.first(low, high);
  }

  #place(entry: number): TracePart {
    return this.#partOf(this.#list[entry] as number, this.#trace[entry] as number);
  }

  #partOf(list: number, trace: number): TracePart {
    const { source, batch } = this.#lists[list] as KeyList;
    return { source, batch, trace };
  }

  #flag({ source, batch, trace }: TracePart): void {
    const key = `${source} ${batch}`;
    let flags = this.#flags.get(key);
    // What the base has is not changed: others use it.
    if (flags === undefined || flags === this.#base?.flags(source, batch)) {
      flags = flags?.slice() ?? new Uint8Array((this.#wordsOf(source, batch)?.length ?? 0) / 2);
      this.#flags.set(key, flags);
    }
    flags[trace] = 1;
  }

  #wordsOf(source: string, batch: number): Int32Array | undefined {
    const list = this.#lists.find((one) => one.source === source && one.batch === batch);
    return list?.words ?? (this.#base && this.#base.#wordsOf(source, batch));
  }

  /** The number of an entry; -1 - the slot for it where there is none. */
  #find(low: number, high: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = spread(low, high) & mask;
    for (;;) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0) return -1 - slot;
      if (this.#low[entry] === low && this.#high[entry] === high) return entry;
      slot = (slot + 1) & mask;
    }
  }
}

/** Trace ids are random, but whoever sends them may choose them: the worst is that one table is slow to make. */
function spread(a: number, b: number): number {
  let hash = Math.imul(a ^ SEED, 0x9e3779b1);
  hash = Math.imul((hash ^ (hash >>> 15)) + b, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

const SEED = 0x5bd1e995;

function wordsOf(bytes: Uint8Array): Int32Array {
  const copy = bytes.slice();
  return new Int32Array(copy.buffer, copy.byteOffset, copy.length >>> 2);
}
