import { inSteps } from '@vivace/kernel';

// Hot path: brings columns of a column set into the order of a table. Benchmark: `encode-block.bench.ts`.

type Halves = Int32Array | Uint32Array;

/** `into[i]` = `source[order[i]]`, for codes. */
export function gatherCodes(into: Int32Array, order: Int32Array, source: Int32Array): void {
  inSteps(order.length, someCodes, into, order, source);
}

function someCodes(from: number, to: number, into: Int32Array, order: Int32Array, source: Int32Array): void {
  for (let i = from; i < to; i++) into[i] = source[order[i] as number] as number;
}

/** As `gatherCodes`, of bytes. */
export function gatherBytes(into: Int32Array, order: Int32Array, source: Uint8Array): void {
  inSteps(order.length, someBytes, into, order, source);
}

function someBytes(from: number, to: number, into: Int32Array, order: Int32Array, source: Uint8Array): void {
  for (let i = from; i < to; i++) into[i] = source[order[i] as number] as number;
}

/** As `gatherCodes`, each code replaced by what `mapping` has for it. */
export function gatherMapped(into: Int32Array, order: Int32Array, source: Int32Array, mapping: Int32Array): void {
  inSteps(order.length, someMapped, into, order, source, mapping);
}

function someMapped(
  from: number,
  to: number,
  into: Int32Array,
  order: Int32Array,
  source: Int32Array,
  mapping: Int32Array,
): void {
  for (let i = from; i < to; i++) into[i] = mapping[source[order[i] as number] as number] as number;
}

/** As `gatherCodes`, of pairs of 32-bit halves. */
export function gatherHalves<Pairs extends Halves>(into: Pairs, order: Int32Array, source: Pairs): void {
  inSteps(order.length, someHalves, into, order, source);
}

function someHalves(from: number, to: number, into: Halves, order: Int32Array, source: Halves): void {
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    into[2 * i] = source[2 * row] as number;
    into[2 * i + 1] = source[2 * row + 1] as number;
  }
}
