/** Gives 32-bit integers codes by first appearance. Reused for every row group; on the encoder's hot path. */
export class IntInterner {
  #slots = new Int32Array(1 << 10).fill(-1);
  /** Code → integer; what lies beyond `count` is undefined. */
  values = new Int32Array(1 << 9);
  count = 0;
  readonly #seed: number;

  /** `seed`: so that a sender cannot choose integers that collide; it does not change the codes. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  reset(): void {
    this.#slots.fill(-1);
    this.count = 0;
  }

  code(value: number): number {
    const mask = this.#slots.length - 1;
    let slot = spread(value ^ this.#seed) & mask;
    for (;;) {
      const code = this.#slots[slot] as number;
      if (code < 0) break;
      if (this.values[code] === value) return code;
      slot = (slot + 1) & mask;
    }
    if (this.count === this.values.length) {
      this.#grow();
      return this.code(value);
    }
    this.#slots[slot] = this.count;
    this.values[this.count] = value;
    return this.count++;
  }

  #grow(): void {
    const values = new Int32Array(this.values.length * 2);
    values.set(this.values);
    this.values = values;
    this.#slots = new Int32Array(values.length * 2).fill(-1);
    const mask = this.#slots.length - 1;
    for (let code = 0; code < this.count; code++) {
      let slot = spread((values[code] as number) ^ this.#seed) & mask;
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = code;
    }
  }
}

function spread(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 13);
}
