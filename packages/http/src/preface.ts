import type { Socket } from 'node:net';
import type { Clock } from '@vivace/kernel';

/** What a client that speaks HTTP/2 without having asked says first (RFC 9113, section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * Reads the first bytes of a connection until it is clear which protocol it speaks, and calls `decided` with
 * all of them put back. A connection that ends, fails or says nothing for `timeoutMs` is destroyed.
 */
export function readPreface(
  socket: Socket,
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
  decided: (protocol: 'http1' | 'http2') => void,
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
    const compared = Math.min(seen.length, PREFACE.length);
    const equal = seen.compare(PREFACE, 0, compared, 0, compared) === 0;
    if (equal && compared < PREFACE.length) return;
    done();
    socket.unshift(seen);
    decided(equal ? 'http2' : 'http1');
  };
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
  socket.on('close', done);
}
