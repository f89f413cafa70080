import { crc32, dataError, inSteps } from '@vivace/kernel';

// A split-block Bloom filter (Putze, Sanders, Singler 2007, as Parquet uses it) in blocks of 32 bytes, of which
// seven words hold bits and the eighth a checksum. A probe is one read of 32 bytes that proves itself: a
// damaged or misplaced block is an error, never a wrong "no". FORMAT.md, "Filter".

export const FILTER_BLOCK_BYTES = 32;
const WORDS = 7;
/** About one wrong "maybe" in eighty. */
const BITS_PER_ENTRY = 10;
/** The block number is computed exactly in a double below 2^21 blocks (67 MB, 40M entries). */
const MAX_BLOCKS = 2 ** 21 - 1;

/** Odd multipliers, one a word: the first seven of the Parquet specification. */
const SALTS = Int32Array.of(0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947);

/** What hashes are added to on the way to a filter. */
export interface FilterSink {
  add(low: number, high: number): void;
  /** The filter section: its length is a multiple of 32 and at least 32. */
  finish(): Uint8Array;
}

/** Collects hashes, then makes a filter of the size they need. */
export class FilterBuilder implements FilterSink {
  #hashes = new Uint32Array(1 << 12);
  #count = 0;

  add(low: number, high: number): void {
    if (this.#count * 2 === this.#hashes.length) {
      const larger = new Uint32Array(this.#hashes.length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[2 * this.#count] = low;
    this.#hashes[2 * this.#count + 1] = high;
    this.#count++;
  }

  finish(): Uint8Array {
    const wanted = Math.ceil((this.#count * BITS_PER_ENTRY) / (WORDS * 32));
    const blocks = Math.min(MAX_BLOCKS, Math.max(1, wanted));
    const words = new Uint32Array(blocks * 8);
    inSteps(this.#count, setAllBits, words, blocks, this.#hashes);
    return sealed(words);
  }
}

function setAllBits(from: number, to: number, words: Uint32Array, blocks: number, hashes: Uint32Array): void {
  for (let i = from; i < to; i++) setBits(words, blocks, hashes[2 * i] as number, hashes[2 * i + 1] as number);
}

/** Blocks that a filter can be folded to a divisor of. */
const FOLDS = 12;

/** Length of a filter that has room for what filters of these lengths hold together. */
export function presizedFilterBytes(lengths: readonly number[]): number {
  const blocks = lengths.reduce((sum, length) => sum + filterBlocks(length), 0);
  return FILTER_BLOCK_BYTES * Math.min(MAX_BLOCKS, blocks);
}

/**
 * A filter whose size is known before its entries: they go into it directly. Folded to a smaller one where fewer came
 * than there was room for, because several inputs had the same.
 */
export function createPresizedFilter(maxBytes: number): FilterSink {
  const wanted = maxBytes / FILTER_BLOCK_BYTES;
  const blocks = wanted < FOLDS ? wanted : Math.floor(wanted / FOLDS) * FOLDS;
  const words = new Uint32Array(blocks * 8);
  let distinct = 0;
  return {
    add(low, high) {
      if (setBits(words, blocks, low, high)) distinct++;
    },
    finish() {
      const needed = Math.max(1, Math.ceil((distinct * BITS_PER_ENTRY) / (WORDS * 32)));
      let factor = Math.max(1, Math.min(FOLDS, Math.floor(blocks / needed)));
      while (blocks % factor !== 0) factor--;
      return sealed(fold(words, blocks, factor));
    },
  };
}

/** Sets the bits of a hash; false where all were set. */
function setBits(words: Uint32Array, blocks: number, low: number, high: number): boolean {
  const base = blockOf(high, blocks) * 8;
  let changed = 0;
  for (let w = 0; w < WORDS; w++) {
    const before = words[base + w] as number;
    const after = before | (1 << (Math.imul(low, SALTS[w] as number) >>> 27));
    changed |= before ^ after;
    words[base + w] = after;
  }
  return changed !== 0;
}

/**
 * A filter of `blocks / factor` blocks with the same entries: block floor(h * n / k) of the smaller is the union of the
 * k blocks floor(h * n) that begin there.
 */
function fold(words: Uint32Array<ArrayBuffer>, blocks: number, factor: number): Uint32Array<ArrayBuffer> {
  if (factor <= 1) return words;
  const folded = new Uint32Array((blocks / factor) * 8);
  for (let block = 0; block < blocks; block++) {
    const into = Math.floor(block / factor) * 8;
    for (let w = 0; w < WORDS; w++) {
      folded[into + w] = (folded[into + w] as number) | (words[block * 8 + w] as number);
    }
  }
  return folded;
}

/** The filter section of some blocks of bits, in their memory. */
function sealed(words: Uint32Array<ArrayBuffer>): Uint8Array {
  const bytes = new Uint8Array(words.buffer);
  inSteps(words.length / 8, sealBlocks, words, bytes, new DataView(words.buffer));
  return bytes;
}

function sealBlocks(from: number, to: number, words: Uint32Array, bytes: Uint8Array, view: DataView): void {
  for (let block = from; block < to; block++) {
    const at = block * FILTER_BLOCK_BYTES;
    for (let w = 0; w < WORDS; w++) view.setUint32(at + 4 * w, words[block * 8 + w] as number, true);
    view.setUint32(at + 4 * WORDS, checksum(bytes.subarray(at, at + 4 * WORDS), block), true);
  }
}

/** Where in a filter of `filterBytes` the 32 bytes lie that decide about a hash. */
export function filterProbeOffset(filterBytes: number, high: number): number {
  return blockOf(high, filterBlocks(filterBytes)) * FILTER_BLOCK_BYTES;
}

/**
 * False: the entry with this hash is certainly not in the block. `block` are the 32 bytes at
 * `filterProbeOffset`. Throws a `data` error (code `block-filter`) when they are not what was written.
 */
export function filterMayHold(block: Uint8Array, filterBytes: number, low: number, high: number): boolean {
  const number = blockOf(high, filterBlocks(filterBytes));
  if (block.length !== FILTER_BLOCK_BYTES) throw dataError('block-filter', `a filter probe has ${block.length} bytes`);
  const view = new DataView(block.buffer, block.byteOffset, FILTER_BLOCK_BYTES);
  if (view.getUint32(4 * WORDS, true) !== checksum(block.subarray(0, 4 * WORDS), number)) {
    throw dataError('block-filter', `the filter of a block is damaged in its block ${number}`);
  }
  for (let w = 0; w < WORDS; w++) {
    const bit = Math.imul(low, SALTS[w] as number) >>> 27;
    if (((view.getUint32(4 * w, true) >>> bit) & 1) === 0) return false;
  }
  return true;
}

/** The number of the block is mixed in, so that a block read from the wrong place does not pass. */
function checksum(bits: Uint8Array, number: number): number {
  return crc32(bits, number + 1);
}

function blockOf(high: number, blocks: number): number {
  return Math.floor((high * blocks) / 2 ** 32);
}

function filterBlocks(filterBytes: number): number {
  const blocks = filterBytes / FILTER_BLOCK_BYTES;
  if (!Number.isInteger(blocks) || blocks < 1 || blocks > MAX_BLOCKS) {
    throw dataError('block-filter', `a filter cannot have ${filterBytes} bytes`);
  }
  return blocks;
}
