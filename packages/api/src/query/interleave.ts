/**
 * What several sources give, in the order in which it comes. Sources are opened with a signal that is aborted when
 * one of them fails, when the reader stops and with `signal`; a source is not read ahead of its reader.
 */
export async function* interleave<T>(
  signal: AbortSignal,
  open: readonly ((signal: AbortSignal) => AsyncIterable<T>)[],
): AsyncGenerator<{ source: number; item: T }> {
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const iterators = open.map((start) => start(either)[Symbol.asyncIterator]());
  const pending = new Map<number, Promise<{ source: number; result: IteratorResult<T> }>>();
  const advance = (source: number, iterator: AsyncIterator<T>) =>
    pending.set(
      source,
      iterator.next().then((result) => ({ source, result })),
    );
  try {
    for (const [source, iterator] of iterators.entries()) advance(source, iterator);
    while (pending.size > 0) {
      const { source, result } = await Promise.race(pending.values());
      if (result.done === true) {
        pending.delete(source);
        continue;
      }
      yield { source, item: result.value };
      advance(source, iterators[source] as AsyncIterator<T>);
    }
  } finally {
    ended.abort();
    // What is still under way fails by the signal, and that is nobody's concern any more.
    for (const waiting of pending.values()) waiting.catch(() => undefined);
    for (const iterator of iterators) iterator.return?.().catch(() => undefined);
  }
}
