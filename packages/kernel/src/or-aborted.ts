/** The result of work that knows no signal, or the signal's reason if that comes first; the work itself goes on. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Of each read several: a race of promises takes twice as long.
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    // Work that has settled by then comes first: what holds something until it is released has told nobody otherwise.
    const onAbort = () => queueMicrotask(abort);
    const settle = () => signal.removeEventListener('abort', onAbort);
    // Also of work that nobody waits for any more: that it fails then is nobody's concern.
    work.then(
      (result) => {
        settle();
        resolve(result);
      },
      (error: unknown) => {
        settle();
        reject(error as Error);
      },
    );
    if (signal.aborted) abort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
