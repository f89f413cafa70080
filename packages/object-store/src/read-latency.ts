import type { ByteRange } from './object-store.ts';

/** How long reads of a store take: what nineteen of twenty reads of their size have taken at most. */
export class ReadLatency {
  readonly #windows = new Map<string, Window>();

  /** Undefined where too little is known. */
  usualMs(range: ByteRange | undefined): number | undefined {
    return this.#windows.get(sizeOf(range))?.usualMs;
  }

  observe(range: ByteRange | undefined, ms: number): void {
    const size = sizeOf(range);
    let window = this.#windows.get(size);
    if (window === undefined) this.#windows.set(size, (window = new Window()));
    window.add(ms);
  }
}

/** Reads that are looked back at: some seconds of a busy process. */
const WINDOW_READS = 256;
const EVERY_READS = 32;
const LEAST_READS = 64;
const SHARE = 0.95;

class Window {
  usualMs: number | undefined;
  readonly #ms = new Float64Array(WINDOW_READS);
  #count = 0;

  add(ms: number): void {
    this.#ms[this.#count++ % WINDOW_READS] = ms;
    if (this.#count < LEAST_READS || this.#count % EVERY_READS !== 0) return;
    const sorted = this.#ms.slice(0, Math.min(this.#count, WINDOW_READS)).sort();
    this.usualMs = sorted[Math.floor(SHARE * (sorted.length - 1))];
  }
}

/** Reads of about one size take about as long: what a whole object is nobody knows before. */
function sizeOf(range: ByteRange | undefined): string {
  if (range === undefined) return 'whole';
  return range.length <= 256 * 1024 ? 'small' : 'large';
}
