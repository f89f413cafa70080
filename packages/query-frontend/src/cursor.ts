import type { TracePosition } from '@vivace/block-query';
import { bytesToHex, VivaceError } from '@vivace/kernel';

/** Where the next page of a search begins: after this trace, in the order of answers. */
export function encodeCursor({ startUnixNano, traceId }: TracePosition): string {
  return `${startUnixNano.toString(36)}-${bytesToHex(traceId)}`;
}

const MAX_UNIX_NANO = 2n ** 64n - 1n;

/** Throws `invalid` for what is no cursor. */
export function decodeCursor(text: string): TracePosition {
  const [, start, id] = /^(0|[1-9a-z][0-9a-z]{0,12})-([0-9a-f]{32})$/.exec(text) ?? [];
  let startUnixNano = 0n;
  for (const digit of start ?? '') startUnixNano = startUnixNano * 36n + BigInt(Number.parseInt(digit, 36));
  if (id === undefined || startUnixNano > MAX_UNIX_NANO) {
    throw new VivaceError('invalid', 'cursor', 'the cursor is not one that a search gave: leave it out to begin anew');
  }
  return { startUnixNano, traceId: Uint8Array.from(Buffer.from(id, 'hex')) };
}
