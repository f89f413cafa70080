import type { Socket } from 'node:net';
import type { Clock } from '@vivace/kernel';

/**
 * What becomes of requests that were not complete in time. A process that was held up for long finds its clocks run
 * out before it has read what its sockets hold, so what is there is read first, for a moment.
 */
export interface LateRequests {
  /**
   * The head of a request is there and its body is read; `cutOff` ends that. What is returned is called when the body is
   * there, or nobody waits for it any more; the next request of the connection may have begun by then.
   */
  begin(socket: Socket, cutOff: () => void): () => void;
  /** The time of a connection's request is over; `refuse` answers one that has no head. */
  expire(socket: Socket, refuse: () => void): void;
}

/** What is left to read what has come: some turns of the event loop, each of which reads megabytes of a socket. */
const READ_MS = 1000;

export function createLateRequests(clock: Clock): LateRequests {
  /** Connections with a body on its way. A connection has one at a time, however many answers wait on it. */
  const reading = new WeakMap<Socket, () => void>();
  /** Those whose time is over and of which nothing has ended since. */
  const late = new WeakSet<Socket>();
  return {
    begin: (socket, cutOff) => {
      reading.set(socket, cutOff);
      return () => {
        if (reading.get(socket) !== cutOff) return;
        reading.delete(socket);
        late.delete(socket);
      };
    },
    expire: (socket, refuse) => {
      late.add(socket);
      clock.after(READ_MS, () => {
        if (!late.delete(socket)) return;
        const cutOff = reading.get(socket);
        if (cutOff === undefined) refuse();
        else cutOff();
      });
    },
  };
}
