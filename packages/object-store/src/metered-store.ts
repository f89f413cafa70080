import { type Clock, type ErrorKind, systemClock, toVivaceError } from '@vivace/kernel';
import type { ObjectStore } from './object-store.ts';

/** One call of a store, when it has ended. */
export interface StoreCall {
  operation: 'get' | 'get-range' | 'put' | 'put-if' | 'delete' | 'head' | 'list' | 'upload';
  outcome: 'ok' | 'not-modified' | ErrorKind;
  seconds: number;
  bytesRead: number;
  bytesWritten: number;
}

/** Where calls are counted; `createStoreMetrics` has it for Prometheus. */
export interface StoreMetrics {
  observe(call: StoreCall): void;
}

/** A store that reports each call. Put below the retries it counts what the bucket's bill counts. */
export function createMeteredStore(
  store: ObjectStore,
  { metrics, clock = systemClock }: { metrics: StoreMetrics; clock?: Clock },
): ObjectStore {
  const metered = async <T>(
    operation: StoreCall['operation'],
    call: () => Promise<T>,
    describe: (result: T) => Partial<StoreCall>,
  ): Promise<T> => {
    const startMs = clock.monotonicMs();
    const report = (details: Partial<StoreCall>) => {
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      metrics.observe({ operation, outcome: 'ok', seconds, bytesRead: 0, bytesWritten: 0, ...details });
    };
    try {
      const result = await call();
      report(describe(result));
      return result;
    } catch (error) {
      report({ outcome: toVivaceError(error).kind });
      throw error;
    }
  };
  const nothing = () => ({});
  return {
    get: (key, options) =>
      metered(
        options?.range ? 'get-range' : 'get',
        () => store.get(key, options),
        ({ bytes, notModified }) => ({ outcome: notModified ? 'not-modified' : 'ok', bytesRead: bytes.length }),
      ),
    put: (key, body, options) =>
      metered(
        options?.only ? 'put-if' : 'put',
        () => store.put(key, body, options),
        () => ({ bytesWritten: lengthOf(body) }),
      ),
    delete: (key, options) => metered('delete', () => store.delete(key, options), nothing),
    head: (key, options) => metered('head', () => store.head(key, options), nothing),
    list: (prefix, options) => metered('list', () => store.list(prefix, options), nothing),
    beginUpload: async (key, options) => {
      const upload = await metered('upload', () => store.beginUpload(key, options), nothing);
      return {
        add: (number, body, callOptions) =>
          metered(
            'upload',
            () => upload.add(number, body, callOptions),
            () => ({ bytesWritten: lengthOf(body) }),
          ),
        complete: (callOptions) => metered('upload', () => upload.complete(callOptions), nothing),
        abort: (callOptions) => metered('upload', () => upload.abort(callOptions), nothing),
      };
    },
    endUploads: (prefix, options) => metered('upload', () => store.endUploads(prefix, options), nothing),
  };
}

function lengthOf(body: readonly Uint8Array[]): number {
  return body.reduce((sum, part) => sum + part.length, 0);
}
