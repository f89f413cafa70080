import { VivaceError } from './errors.ts';
import { systemErrorCode } from './system-error.ts';

/** Where a server wanted to listen, and how a person moves it elsewhere. */
export interface ListenPlace {
  host: string;
  port: number;
  /** The flag that sets the port, with its hyphens. */
  portFlag: string;
}

/** What a failed `listen` means for the person who starts the server, as one line with a remedy. */
export function listenError(cause: unknown, { host, port, portFlag }: ListenPlace): VivaceError {
  const place = `port ${port} on ${host}`;
  switch (systemErrorCode(cause) ?? '') {
    case 'EADDRINUSE':
      return new VivaceError(
        'unavailable',
        'port-taken',
        `${place} is taken by another program: stop it, or choose another port with ${portFlag} (0 picks a free one)`,
        { cause },
      );
    case 'EACCES':
      return new VivaceError(
        'invalid',
        'port-forbidden',
        `${place} may not be used by this user: choose a port above 1023 with ${portFlag}`,
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new VivaceError(
        'invalid',
        'address-unknown',
        `this machine has no address ${host}: choose one it has with --bind (127.0.0.1 for this machine only, 0.0.0.0 for all)`,
        { cause },
      );
    default: {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return new VivaceError('unavailable', 'listen-failed', `cannot listen on ${place}: ${reason}`, { cause });
    }
  }
}
