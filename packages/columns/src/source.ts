/** Bytes being scanned, with the two ways to read them that the hot loops need. */
export interface Source {
  bytes: Uint8Array;
  view: DataView;
}

export function sourceOf(bytes: Uint8Array): Source {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/**
 * A 32-bit hash of `source[from, to)`; only for tables inside one process, which seed it. Both factors come from
 * the seed: with factors that are known, the top bit of a word changes known bits of the state whatever the seed,
 * the next word can undo that, and a sender makes any number of strings that collide.
 *
 * The last word begins four bytes before the end, so it may overlap the one before: a loop over one to three bytes ends
 * where the processor does not foresee it.
 */
export function hashRange(source: Source, from: number, to: number, seed: number): number {
  const view = source.view;
  const factor = Math.imul(seed, 0x9e3779b1) | 1;
  const swapped = Math.imul(seed ^ 0x5bd1e995, 0x85ebca6b) | 1;
  const lastWord = to - 4;
  let hash = seed ^ (to - from);
  for (let at = from; at < lastWord; at += 4) {
    hash ^= view.getInt32(at, true);
    hash = Math.imul(hash, factor) ^ Math.imul((hash << 16) | (hash >>> 16), swapped);
  }
  let last = 0;
  if (lastWord >= from) last = view.getInt32(lastWord, true);
  else for (let at = from, shift = 0; at < to; at++, shift += 8) last |= view.getUint8(at) << shift;
  hash ^= last;
  hash = Math.imul(hash, factor) ^ Math.imul((hash << 16) | (hash >>> 16), swapped);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

/** Whether `length` bytes of both, from their positions, are equal. The last word as in `hashRange`. */
export function equalRange(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  const lastWord = length - 4;
  if (lastWord < 0) {
    for (let i = 0; i < length; i++) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false;
    return true;
  }
  for (let i = 0; i < lastWord; i += 4) {
    if (a.getInt32(atA + i, true) !== b.getInt32(atB + i, true)) return false;
  }
  return a.getInt32(atA + lastWord, true) === b.getInt32(atB + lastWord, true);
}

/** Whether `source[from, to)` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
export function isUtf8(source: Source, from: number, to: number): boolean {
  const { bytes, view } = source;
  let at = from;
  while (at < to) {
    while (at + 4 <= to && (view.getInt32(at, true) & 0x80808080) === 0) at += 4;
    if (at >= to) return true;
    const lead = bytes[at] as number;
    if (lead < 0x80) {
      at++;
      continue;
    }
    let more: number;
    let low = 0x80;
    let high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    } else return false;
    if (at + more >= to) return false;
    const second = bytes[at + 1] as number;
    if (second < low || second > high) return false;
    for (let i = 2; i <= more; i++) {
      if (((bytes[at + i] as number) & 0xc0) !== 0x80) return false;
    }
    at += more + 1;
  }
  return true;
}
