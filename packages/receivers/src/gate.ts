/** Lets at most so many run at once; the others wait in line. What waits is bounded by who calls. */
export interface Gate {
  run<T>(task: () => Promise<T>): Promise<T>;
}

export function createGate(maxRunning: number): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(task) {
      if (running < maxRunning) running++;
      // Whoever ends hands its place on, so `running` stays as it is.
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
}
