import type { S3Client } from '@aws-sdk/client-s3';
import { type Clock, dataError, VivaceError } from '@vivace/kernel';
import { type S3Request, s3Error } from './s3-errors.ts';
import { abortError, throwIfAborted } from './store-errors.ts';

/** Runs calls of the SDK with one meaning of time and failure. */
export interface S3Calls {
  /** Runs `work` under the time limit and the caller's signal; every error comes out as a VivaceError. */
  run<T>(
    operation: S3Request['operation'],
    key: string,
    signal: AbortSignal | undefined,
    work: (abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  /** The `Date` of the answer that an output of the SDK was made from, in milliseconds since 1970. */
  storeTimeMs(output: object): number;
}

/** `timeoutMs` bounds a whole call: waiting for a connection, sending and reading. */
export function createS3Calls({
  client,
  bucket,
  clock,
  timeoutMs,
}: {
  client: S3Client;
  bucket: string;
  clock: Clock;
  timeoutMs: number;
}): S3Calls {
  // The SDK's outputs lack the headers: they are noted while it still has them.
  const dates = new WeakMap<object, string | undefined>();
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      if (result.output) dates.set(result.output, headers?.['date']);
      return result;
    },
    { step: 'deserialize', priority: 'high', name: 'noteDate' },
  );

  return {
    async run(operation, key, signal, work) {
      throwIfAborted(signal);
      const controller = new AbortController();
      const onAbort = () => controller.abort(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      let timedOut = false;
      const cancel = clock.after(timeoutMs, () => {
        timedOut = true;
        controller.abort();
      });
      try {
        return await work(controller.signal);
      } catch (error) {
        if (signal?.aborted) throw abortError(signal);
        if (timedOut) {
          const message = `the store did not answer within ${timeoutMs} ms, at ${bucket}/${key}`;
          throw new VivaceError('unavailable', 'store-timeout', message, { cause: error });
        }
        const failure = s3Error(error, { bucket, key, operation });
        // Such an answer may come before all was read: the bytes of the body are the caller's again, nobody may send them.
        if (failure.kind === 'unavailable' || failure.kind === 'limited') controller.abort();
        throw failure;
      } finally {
        cancel();
        signal?.removeEventListener('abort', onAbort);
      }
    },
    storeTimeMs: (output) => dateHeaderMs(dates.get(output)),
  };
}

/** The store's clock, on which leases and sweeps rest: an answer without it is a `data` error. */
export function dateHeaderMs(header: string | undefined): number {
  const ms = Date.parse(header ?? '');
  if (Number.isNaN(ms)) throw dataError('store-answer', "the store's answer has no date");
  return ms;
}
