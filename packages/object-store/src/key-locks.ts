/** Runs the work of one key one after another; different keys do not wait for each other. */
export interface KeyLocks {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** As many entries as there are keys with work under way. */
export function createKeyLocks(): KeyLocks {
  const tails = new Map<string, Promise<unknown>>();
  return {
    async run(key, work) {
      const before = tails.get(key);
      const mine = before === undefined ? work() : before.then(work, work);
      tails.set(key, mine);
      try {
        return await mine;
      } finally {
        if (tails.get(key) === mine) tails.delete(key);
      }
    },
  };
}
