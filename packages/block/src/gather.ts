// Hot path: brings columns of a column set into the order of a table. One loop a function: the engine compiles a long
// function with many loops anew for each of them, while it runs, and a block calls each of them only a few times
// (`encodeSpans` with its loops inside was compiled 18 times in the first million spans). Benchmark:
// `encode-block.bench.ts`.

/** `into[i]` = `source[order[i]]`, for codes. */
export function gatherCodes(into: Int32Array, order: Int32Array, source: Int32Array): void {
  for (let i = 0; i < order.length; i++) into[i] = source[order[i] as number] as number;
}

/** As `gatherCodes`, of bytes. */
export function gatherBytes(into: Int32Array, order: Int32Array, source: Uint8Array): void {
  for (let i = 0; i < order.length; i++) into[i] = source[order[i] as number] as number;
}

/** As `gatherCodes`, each code replaced by what `mapping` has for it. */
export function gatherMapped(into: Int32Array, order: Int32Array, source: Int32Array, mapping: Int32Array): void {
  for (let i = 0; i < order.length; i++) into[i] = mapping[source[order[i] as number] as number] as number;
}

/** As `gatherCodes`, of pairs of 32-bit halves. */
export function gatherHalves<Halves extends Int32Array | Uint32Array>(
  into: Halves,
  order: Int32Array,
  source: Halves,
): void {
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    into[2 * i] = source[2 * row] as number;
    into[2 * i + 1] = source[2 * row + 1] as number;
  }
}
