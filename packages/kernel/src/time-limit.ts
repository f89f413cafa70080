import type { Clock } from './clock.ts';
import type { VivaceError } from './errors.ts';

/**
 * A signal that is aborted with the reason of `signal`, or with `late()` once `timeoutMs` are over; neither after `end`,
 * which has to be called. `AbortSignal.any` needs no end, and costs a few times as much: the garbage collector has to
 * find out that nobody holds it any more.
 */
export function limitTime(
  clock: Clock,
  timeoutMs: number,
  late: () => VivaceError,
  signal?: AbortSignal,
): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal?.reason);
  const cancel = clock.after(timeoutMs, () => controller.abort(late()));
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  const end = () => {
    cancel();
    signal?.removeEventListener('abort', onAbort);
  };
  return { signal: controller.signal, end };
}
