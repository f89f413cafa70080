import { VivaceError } from '@vivace/kernel';

/** What the sums and counts of one query may take, its series included. */
const MAX_METRIC_BYTES = 96 * 1024 * 1024;

/** Bytes that one query has taken. */
export class Budget {
  #left = MAX_METRIC_BYTES;

  give(bytes: number): void {
    this.#left += bytes;
  }

  /** Throws `limited` where there is no more. */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new VivaceError(
      'limited',
      'metrics-memory',
      'the query has too many series for its intervals\ngroup by attributes with less values, take a longer step, or filter for fewer spans',
    );
  }
}
