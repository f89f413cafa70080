import { isUuidV7 } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';

const STREAMS_PREFIX = 'streams/';

/**
 * The id of the oldest stream that is not closed, of this process's log and of all logs in the store; undefined where
 * there is none. Ids sort by the time at which the streams were opened.
 */
export async function oldestStream(
  store: ObjectStore,
  log: { streams(): readonly { stream: string }[] },
  signal: AbortSignal,
): Promise<string | undefined> {
  let oldest: string | undefined;
  const take = (id: string): void => {
    if (isUuidV7(id) && (oldest === undefined || id < oldest)) oldest = id;
  };
  for (const { stream } of log.streams()) take(stream);
  for (let after = ''; ; ) {
    const { objects, next } = await store.list(STREAMS_PREFIX, { after, signal });
    for (const { key } of objects) take(key.slice(STREAMS_PREFIX.length));
    if (next === undefined) return oldest;
    after = next;
  }
}
