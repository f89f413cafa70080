/**
 * The one lifecycle. `start` resolves when the service does its work, `stop` when it has let go of
 * everything; both are idempotent, and `stop` is allowed at any time, also after a failed `start`.
 */
export interface Service {
  start(options: { signal: AbortSignal }): Promise<void>;
  stop(): Promise<void>;
}

/** Stops all of them, last started first, and throws the first failure after every one has ended. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const failures: unknown[] = [];
  for (const service of [...services].reverse()) {
    try {
      await service.stop();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
