/**
 * A smaller input that still fails, as far as a few hundred tries get: pieces are left out, then bytes set to zero.
 * `fails` says whether an input fails in the same way.
 */
export async function minimise(
  input: Uint8Array,
  keepBytes: number,
  fails: (input: Uint8Array) => Promise<boolean>,
  maxTries = 400,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (tries++ >= maxTries || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = best.length >>> 1; size >= 1 && tries < maxTries; size >>>= 1) {
    for (let at = keepBytes; at + size <= best.length && tries < maxTries; ) {
      const without = new Uint8Array(best.length - size);
      without.set(best.subarray(0, at));
      without.set(best.subarray(at + size), at);
      if (!(await attempt(without))) at += size;
    }
  }
  for (let at = keepBytes; at < best.length && tries < maxTries; at++) {
    if (best[at] === 0) continue;
    const zeroed = best.slice();
    zeroed[at] = 0;
    await attempt(zeroed);
  }
  return best;
}
