import type { Socket } from 'node:net';
import type { Clock } from '@vivace/kernel';

/** What a client that speaks HTTP/2 without having asked says first (RFC 9113, section 3.4). */
export const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * Reads the first bytes of a connection until it is clear which of the prefaces it begins with, and calls `decided` with
 * that and all bytes put back; undefined: none. A connection that ends, fails or says nothing for `timeoutMs` is
 * destroyed.
 */
export function readPreface(
  socket: Socket,
  { timeoutMs, clock, prefaces }: { timeoutMs: number; clock: Clock; prefaces: readonly Buffer[] },
  decided: (preface: Buffer | undefined) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const cancelTimer = clock.after(timeoutMs, () => socket.destroy());
  const done = () => {
    cancelTimer();
    socket.off('readable', onReadable);
    socket.off('end', onEnd);
    socket.off('close', done);
  };
  const onEnd = () => socket.destroy();
  const onReadable = () => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
    const preface = prefaces.find((one) => {
      const compared = Math.min(seen.length, one.length);
      return seen.compare(one, 0, compared, 0, compared) === 0;
    });
    if (preface !== undefined && seen.length < preface.length) return;
    done();
    socket.unshift(seen);
    decided(preface);
  };
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
  socket.on('close', done);
}
