import { randomBytes } from 'node:crypto';

/** Randomness is a parameter: the system's in production, a seed's in tests and simulations. */
export interface Random {
  /** A uniform integer in [0, 2^32). */
  u32(): number;
  bytes(length: number): Uint8Array;
}

/** Asking the system for four bytes takes as long as for hundreds. */
const POOLED_BYTES = 512;
let pool = Buffer.alloc(0);
let used = 0;

export const systemRandom: Random = {
  u32: () => {
    if (used === pool.length) {
      pool = randomBytes(POOLED_BYTES);
      used = 0;
    }
    used += 4;
    return pool.readUInt32LE(used - 4);
  },
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** xoshiro128** (Blackman and Vigna, 2018) seeded by splitmix32: the same seed gives the same numbers everywhere. */
export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const next = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = next();
  let b = next();
  let c = next();
  let d = next();
  const u32 = () => {
    const x = Math.imul(b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return {
    u32,
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = u32() & 255;
      return out;
    },
  };
}

/** A uniform number in [0, 1). */
export function fraction(random: Random): number {
  return random.u32() / 4294967296;
}
