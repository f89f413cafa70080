import { isErrorKind } from '@vivace/http';
import { toVivaceError, utf8Decode, utf8Encode, VivaceError } from '@vivace/kernel';

const MAX_TEXT = 4096;
const MAX_RETRY_MS = 1e9;

/** An error as it crosses a connection, at the end of a call. */
export function encodeError(cause: unknown): Uint8Array {
  const { kind, code, message, retryAfterMs } = toVivaceError(cause);
  return utf8Encode(JSON.stringify({ kind, code, message: message.slice(0, MAX_TEXT), retryAfterMs }));
}

/** Nothing in it is believed that is not well formed. */
export function decodeError(bytes: Uint8Array): VivaceError {
  const { kind, code: given, message, retryAfterMs } = saidIn(bytes);
  const code = typeof given === 'string' && /^[a-z0-9-]{1,64}$/.test(given) ? given : 'call-error';
  const isRetry = typeof retryAfterMs === 'number' && retryAfterMs >= 0 && retryAfterMs <= MAX_RETRY_MS;
  return new VivaceError(
    isErrorKind(kind) ? kind : 'internal',
    code,
    typeof message === 'string' ? message.slice(0, MAX_TEXT) : 'a call failed, and does not say why',
    isRetry ? { retryAfterMs } : {},
  );
}

function saidIn(bytes: Uint8Array): Record<'kind' | 'code' | 'message' | 'retryAfterMs', unknown> {
  const nothing = { kind: undefined, code: undefined, message: undefined, retryAfterMs: undefined };
  try {
    return { ...nothing, ...(JSON.parse(utf8Decode(bytes)) as object | null) };
  } catch {
    return nothing;
  }
}
