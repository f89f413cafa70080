import type { Random } from '@vivace/kernel';
import { below, oneIn, pick } from './fuzz-target.ts';

/** Lengths and counts that are easy to get wrong. */
const BOLD_NUMBERS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0xffffn,
  0x10000n,
  0xffffffn,
  0x7fffffffn,
  0x80000000n,
  0xfffffffen,
  0xffffffffn,
  0x100000000n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 56n) - 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
] as const;

/** One of them, sometimes its neighbour, sometimes any number of 64 bits. */
export function boldNumber(random: Random): bigint {
  if (oneIn(random, 8)) return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  if (oneIn(random, 4)) return BigInt(below(random, 300));
  return BigInt.asUintN(64, pick(random, BOLD_NUMBERS) + BigInt(below(random, 3) - 1));
}

/** A varint; with `padding` it has that many bytes more than it needs. */
export function varintOf(value: bigint, padding = 0): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    out[out.length - 1] = (out.at(-1) as number) | 128;
    out.push(0);
  }
  return out;
}

/** Changes that keep every byte where it is; a cut may take some off the end. */
export function damageInPlace(random: Random, bytes: Uint8Array): Uint8Array {
  let out = bytes.slice();
  for (let times = 1 + below(random, oneIn(random, 3) ? 8 : 2); times > 0 && out.length > 0; times--) {
    const at = below(random, out.length);
    switch (below(random, 6)) {
      case 0:
      case 1:
        out[at] = (out[at] as number) ^ (1 << below(random, 8));
        break;
      case 2:
        out[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff, random.u32() & 255]);
        break;
      case 3: {
        const number = new Uint8Array(BigUint64Array.of(boldNumber(random)).buffer);
        out.set(number.subarray(0, Math.min(pick(random, [2, 4, 8]), out.length - at)), at);
        break;
      }
      case 4: {
        const length = Math.min(1 + below(random, 64), out.length - at);
        if (oneIn(random, 2)) out.fill(pick(random, [0, 255]), at, at + length);
        else out.set(random.bytes(length), at);
        break;
      }
      default:
        if (oneIn(random, 4)) out = out.slice(0, at);
        else {
          const number = varintOf(boldNumber(random), oneIn(random, 6) ? below(random, 4) : 0);
          out.set(number.slice(0, out.length - at), at);
        }
    }
  }
  return out;
}

/** Any change, also of the length; `other` lends bytes. */
export function mutateBytes(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let out = bytes;
  for (let times = 1 + below(random, oneIn(random, 4) ? 6 : 2); times > 0; times--)
    out = mutateOnce(random, out, other);
  return out;
}

function mutateOnce(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = below(random, bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + below(random, oneIn(random, 3) ? bytes.length : 16));
  switch (below(random, 7)) {
    case 0:
      return replaced(bytes, at, end, new Uint8Array(0));
    case 1:
      return replaced(bytes, at, at, bytes.subarray(at, end));
    case 2:
      return replaced(bytes, at, oneIn(random, 2) ? at : end, random.bytes(1 + below(random, 12)));
    case 3: {
      const from = below(random, other.length + 1);
      const to = Math.min(other.length, from + 1 + below(random, oneIn(random, 3) ? other.length : 32));
      return replaced(bytes, at, oneIn(random, 2) ? at : end, other.subarray(from, to));
    }
    case 4: {
      // A number in the place of one that is there: up to three bytes make room for it.
      const number = Uint8Array.from(varintOf(boldNumber(random), oneIn(random, 6) ? below(random, 4) : 0));
      return replaced(bytes, at, Math.min(bytes.length, at + below(random, 4)), number);
    }
    default:
      return damageInPlace(random, bytes);
  }
}

function replaced(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length - (to - from) + by.length);
  out.set(bytes.subarray(0, from));
  out.set(by, from);
  out.set(bytes.subarray(to), from + by.length);
  return out;
}
