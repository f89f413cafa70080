import type { Random } from '@vivace/kernel';

/** One parser of outside bytes under test. Everything is a function of the seed, so an input can be made again. */
export interface FuzzTarget {
  /**
   * A hostile or damaged input; `number` counts them. Its first `keepBytes` bytes are choices of the target and are
   * never minimised.
   */
  make(random: Random, number: number): Uint8Array;
  readonly keepBytes: number;
  /** Throws when the parser does anything but what it promises for these bytes. */
  check(input: Uint8Array): void | Promise<void>;
  /** Memory that a check may leave allocated at its end, beyond 128 times the input. Default 64 MiB. */
  readonly spareBytes?: number;
}

/** Makes a target and the valid inputs that it mutates. */
export type CreateTarget = (seed: number) => FuzzTarget | Promise<FuzzTarget>;

/** A wrong answer: not an error of the parser, but of what it returned. */
class WrongAnswer extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'WrongAnswer';
  }
}

export function expectThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new WrongAnswer(what);
}

/** A whole number from 0 to `end - 1`. */
export function below(random: Random, end: number): number {
  return Math.floor((random.u32() / 4294967296) * end);
}

export function pick<T>(random: Random, values: ArrayLike<T>): T {
  return values[below(random, values.length)] as T;
}

/** True once in `times` calls. */
export function oneIn(random: Random, times: number): boolean {
  return below(random, times) === 0;
}
