import type { Random } from '../random.ts';

interface Range {
  from: number;
  to: number;
}

/** What a disk writes as one piece. */
const SECTOR = 512;

/** Bytes of one simulated file twice: as a reader sees them, and as they would be after a power loss. */
export class SimulatedData {
  #seen = new Uint8Array(0);
  #seenSize = 0;
  #durable = new Uint8Array(0);
  #durableSize = 0;
  /** Written and not synced. */
  #dirty: Range[] = [];
  /** Written, and then a sync failed: the system calls these pages clean and will never write them. */
  #lost: Range[] = [];

  get size(): number {
    return this.#seenSize;
  }

  append(bytes: Uint8Array): void {
    const from = this.#seenSize;
    const to = from + bytes.length;
    if (bytes.length === 0) return;
    this.#seen = grown(this.#seen, to);
    this.#seen.set(bytes, from);
    this.#seenSize = to;
    this.#dirty.push({ from, to });
  }

  truncate(size: number): void {
    if (size > this.#seenSize) {
      this.append(new Uint8Array(size - this.#seenSize));
      return;
    }
    this.#seen.fill(0, size, this.#seenSize);
    this.#seenSize = size;
    this.#dirty = clipped(this.#dirty, size);
    this.#lost = clipped(this.#lost, size);
  }

  read(position: number, length: number): Uint8Array {
    return this.#seen.slice(Math.min(position, this.#seenSize), Math.min(position + length, this.#seenSize));
  }

  sync(): void {
    this.#durable = this.#applied();
    this.#durableSize = this.#seenSize;
    this.#dirty = [];
  }

  /** The sync that failed: what was dirty is lost, and the next sync succeeds all the same. */
  failSync(): void {
    this.#lost.push(...this.#dirty);
    this.#dirty = [];
  }

  /** What a disk may hold after the power went: all, nothing, a prefix or any mix of what was not synced. */
  crash(random: Random): SimulatedData {
    const after = new SimulatedData();
    after.#durable = this.#durable.slice(0, this.#durableSize);
    after.#durableSize = this.#durableSize;
    if (this.#dirty.length > 0 || this.#seenSize !== this.#durableSize) this.#crashUnsynced(after, random);
    after.#seen = after.#durable.slice();
    after.#seenSize = after.#durableSize;
    return after;
  }

  #crashUnsynced(after: SimulatedData, random: Random): void {
    const mode = random.u32() % 4;
    if (mode === 0) return;
    after.#durable = this.#applied();
    after.#durableSize = this.#seenSize;
    if (mode === 1) return;
    const synced = Math.min(this.#durableSize, this.#seenSize);
    if (mode === 2 || random.u32() % 2 === 0) {
      const cut = synced + (random.u32() % (this.#seenSize - synced + 1));
      after.#durable = after.#durable.slice(0, cut);
      after.#durableSize = cut;
    }
    if (mode === 3) {
      for (const range of clipped(this.#dirty, after.#durableSize)) {
        for (let from = range.from; from < range.to; from += SECTOR - (from % SECTOR)) {
          const to = Math.min(range.to, from + SECTOR - (from % SECTOR));
          const fate = random.u32() % 4;
          if (fate === 0) after.#durable.fill(0, from, to);
          if (fate === 1) after.#durable.set(random.bytes(to - from), from);
        }
      }
    }
  }

  /** The durable bytes with everything dirty written over them. */
  #applied(): Uint8Array<ArrayBuffer> {
    const bytes = this.#dirty.length === 0 ? this.#durable : grown(this.#durable, this.#seenSize);
    for (const { from, to } of this.#dirty) bytes.set(this.#seen.subarray(from, to), from);
    return grown(bytes, this.#seenSize);
  }
}

function clipped(ranges: readonly Range[], size: number): Range[] {
  return ranges.filter((range) => range.from < size).map(({ from, to }) => ({ from, to: Math.min(to, size) }));
}

function grown(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= size) return bytes;
  const larger = new Uint8Array(Math.max(size, bytes.length * 2, 1024));
  larger.set(bytes);
  return larger;
}
