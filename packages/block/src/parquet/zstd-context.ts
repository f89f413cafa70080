/**
 * What `node:zlib` has inside, and does not document: a stream's handle, which works in memory that the caller has, and
 * its state. The documented functions make a context for each call, which takes longer than a small page.
 */

/** What a zlib stream of Node has inside. */
interface ZstdHandle {
  onerror: (message: string, code: number, name: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
}

interface ZstdStream {
  close(): void;
  _handle?: ZstdHandle;
  /** Bytes of output not used, bytes of input not used, after a write. */
  _writeState?: Uint32Array;
}

export interface ZstdContext {
  close(): void;
  handle: ZstdHandle;
  state: Uint32Array;
  failed: boolean;
}

/** The context of a zstd stream that is used for nothing else; null where Node has not what is needed. */
export function openZstdContext(made: object): ZstdContext | null {
  const stream = made as ZstdStream;
  const { _handle: handle, _writeState: state } = stream;
  if (typeof handle?.writeSync !== 'function' || !(state instanceof Uint32Array)) {
    stream.close();
    return null;
  }
  const opened: ZstdContext = { close: () => stream.close(), handle, state, failed: false };
  handle.onerror = () => {
    opened.failed = true;
  };
  return opened;
}
