/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): of a key every member has a score, and the member with the highest
 * gets it. Who comes or goes takes or leaves only its own keys. Without a table of tokens there is nothing to agree on:
 * the names decide. Hot path: `choose` is called for every trace of every request.
 */
export class Rendezvous {
  /** Sorted, each once. */
  readonly members: readonly string[];
  readonly #seeds: Int32Array;

  constructor(members: Iterable<string>) {
    this.members = [...new Set(members)].sort();
    this.#seeds = Int32Array.from(this.members, nameHash);
  }

  /** The index of the member for a key of 16 bytes, as four words. There must be members. */
  choose(a: number, b: number, c: number, d: number): number {
    const seeds = this.#seeds;
    if (seeds.length === 1) return 0;
    const key = mix(mix(mix(mix(a) ^ b) ^ c) ^ d);
    let chosen = 0;
    let highest = -1;
    for (let i = 0; i < seeds.length; i++) {
      const score = mix(key ^ (seeds[i] as number)) >>> 0;
      if (score > highest) {
        highest = score;
        chosen = i;
      }
    }
    return chosen;
  }
}

/** The finalizer of MurmurHash3 (Appleby, 2011): a bijection in which every bit depends on every other. */
function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function nameHash(name: string): number {
  let hash = name.length;
  for (const byte of Buffer.from(name)) hash = mix(Math.imul(hash, 31) + byte);
  return hash;
}
