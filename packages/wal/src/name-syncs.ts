import { type Files, VivaceError } from '@vivace/kernel';

/**
 * Makes names durable and remembers where that failed. A failed sync of a directory puts in doubt every new name in
 * it, also one that somebody else is just making and whose own sync will succeed.
 */
export class NameSyncs {
  readonly #files: Files;
  readonly #failures = new Map<string, number>();

  constructor(files: Files) {
    this.#files = files;
  }

  async sync(directory: string): Promise<void> {
    try {
      await this.#files.syncDirectory(directory);
    } catch (error) {
      this.#failures.set(directory, (this.#failures.get(directory) ?? 0) + 1);
      throw error;
    }
  }

  /** Runs `make`, which makes a name in the directory and syncs it; throws when a sync failed in the meantime. */
  async making(directory: string, make: () => Promise<void>): Promise<void> {
    const before = this.#failures.get(directory);
    await make();
    if (this.#failures.get(directory) === before) return;
    throw new VivaceError('unavailable', 'log-name', `new names may not be durable: ${directory}`);
  }

  /** Nothing more is made in the directory. */
  forget(directory: string): void {
    this.#failures.delete(directory);
  }
}
