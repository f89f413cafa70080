import { fraction, type Random } from '@vivace/kernel';

/** Choosing by a seeded source of randomness. */

export function below(random: Random, limit: number): number {
  return Math.floor(fraction(random) * limit);
}

export function chance(random: Random, probability: number): boolean {
  return fraction(random) < probability;
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)] as T;
}

/** Up to `most` of what `make` makes. */
export function several<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: below(random, most + 1) }, make);
}
