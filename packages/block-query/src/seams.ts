import type { Source } from './source.ts';

/**
 * Finds the traces of which several sources have spans: seams (docs/query.md, "Whole traces"). Traces are told apart
 * by eight bytes of their ids; two that share them are looked at together, and then told apart.
 */
export interface Seams {
  /** By source and batch: the traces that other sources have too, one byte a trace; undefined where there is none. */
  flags(source: number, batch: number): Uint8Array | undefined;
  /** Parts of a trace that is flagged, by source. */
  parts(source: number, batch: number, trace: number): TracePart[];
}

export interface TracePart {
  source: number;
  batch: number;
  trace: number;
}

export async function findSeams(sources: readonly Source[], signal: AbortSignal): Promise<Seams> {
  const lists: { source: number; batch: number; words: Int32Array }[] = [];
  let count = 0;
  for (const [source, one] of sources.entries()) {
    const batches = await one.batches(signal);
    for (let batch = 0; batch < batches.length; batch++) {
      const words = wordsOf(await one.traceKeys(batch, signal));
      lists.push({ source, batch, words });
      count += words.length / 2;
    }
  }
  return new SeamTable(lists, count);
}

class SeamTable implements Seams {
  readonly #flags = new Map<string, Uint8Array>();
  readonly #parts = new Map<string, TracePart[]>();
  readonly #words = new Map<string, Int32Array>();

  constructor(lists: readonly { source: number; batch: number; words: Int32Array }[], count: number) {
    // Open addressing; a slot holds 1 + the place of an entry.
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    const mask = slots.length - 1;
    const low = new Int32Array(count);
    const high = new Int32Array(count);
    const firstSource = new Int32Array(count);
    const shared = new Set<number>();
    let entries = 0;
    const find = (a: number, b: number): number => {
      let slot = spread(a, b) & mask;
      for (;;) {
        const entry = (slots[slot] as number) - 1;
        if (entry < 0) return -1 - slot;
        if (low[entry] === a && high[entry] === b) return entry;
        slot = (slot + 1) & mask;
      }
    };
    for (const { source, words } of lists) {
      for (let i = 0; i < words.length; i += 2) {
        const a = words[i] as number;
        const b = words[i + 1] as number;
        const found = find(a, b);
        if (found >= 0) {
          if (firstSource[found] !== source) shared.add(found);
          continue;
        }
        low[entries] = a;
        high[entries] = b;
        firstSource[entries] = source;
        slots[-1 - found] = ++entries;
      }
    }
    if (shared.size === 0) return;
    for (const { source, batch, words } of lists) {
      let flags: Uint8Array | undefined;
      for (let i = 0; i < words.length; i += 2) {
        const entry = find(words[i] as number, words[i + 1] as number);
        if (!shared.has(entry)) continue;
        flags ??= new Uint8Array(words.length / 2);
        flags[i / 2] = 1;
        const key = `${words[i]} ${words[i + 1]}`;
        const parts = this.#parts.get(key);
        const part = { source, batch, trace: i / 2 };
        if (parts === undefined) this.#parts.set(key, [part]);
        else parts.push(part);
      }
      if (flags === undefined) continue;
      this.#flags.set(`${source} ${batch}`, flags);
      this.#words.set(`${source} ${batch}`, words);
    }
  }

  flags(source: number, batch: number): Uint8Array | undefined {
    return this.#flags.get(`${source} ${batch}`);
  }

  parts(source: number, batch: number, trace: number): TracePart[] {
    const words = this.#words.get(`${source} ${batch}`);
    return (words && this.#parts.get(`${words[2 * trace]} ${words[2 * trace + 1]}`)) ?? [];
  }
}

/** Trace ids are random, but whoever sends them may choose them: the worst is that one query's table is slow. */
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
