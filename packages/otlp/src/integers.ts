/** The two halves of the last 64-bit integer parsed. Read them before the next one. */
export const parsed = { lo: 0, hi: 0 };

const TWO_32 = 4294967296;

/**
 * Parses a decimal integer of up to 64 bits exactly, from `bytes[start, end)`, into `parsed`. `signed` takes
 * −2^63 to 2^63 − 1 as two's complement, else 0 to 2^64 − 1. Also takes the forms JSON allows for an integer
 * (`1e3`, `10.0`). False for anything else.
 */
export function parseInt64(bytes: Uint8Array, start: number, end: number, signed: boolean): boolean {
  const negative = bytes[start] === 0x2d;
  let lo = 0;
  let hi = 0;
  const first = negative ? start + 1 : start;
  if (first >= end) return false;
  for (let i = first; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return parseExponent(bytes, start, end, signed);
    const low = lo * 10 + digit;
    hi = hi * 10 + Math.floor(low / TWO_32);
    lo = low >>> 0;
    if (hi >= TWO_32) return false;
  }
  return settle(lo, hi, negative, signed);
}

function settle(lo: number, hi: number, negative: boolean, signed: boolean): boolean {
  if (!negative) {
    if (signed && hi > 0x7fffffff) return false;
    parsed.lo = lo;
    parsed.hi = hi;
    return true;
  }
  if (lo === 0 && hi === 0) {
    parsed.lo = 0;
    parsed.hi = 0;
    return true;
  }
  if (!signed || hi > 0x80000000 || (hi === 0x80000000 && lo > 0)) return false;
  parsed.lo = -lo >>> 0;
  parsed.hi = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
  return true;
}

/** Rare, so plain: bigint. */
function parseExponent(bytes: Uint8Array, start: number, end: number, signed: boolean): boolean {
  if (end - start > 64) return false;
  const text = Buffer.from(bytes.subarray(start, end)).toString('latin1');
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (match === null) return false;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  const zeros = Number(match[4] ?? 0) - fraction.length;
  let value = BigInt(`${match[2]}${fraction}`);
  if (zeros >= 0) value *= 10n ** BigInt(Math.min(zeros, 40));
  else {
    const divisor = 10n ** BigInt(-zeros);
    if (value % divisor !== 0n) return false;
    value /= divisor;
  }
  if (value >= 1n << 64n) return false;
  return settle(Number(value & 0xffffffffn), Number(value >> 32n), match[1] === '-', signed);
}
