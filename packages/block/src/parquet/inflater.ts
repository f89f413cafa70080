import { constants, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { openZstdContext, type ZstdContext } from './zstd-context.ts';

/**
 * Inflates zstd frames into memory that the caller has, with one decompression context for all of them.
 *
 * `zstdDecompressSync` makes a context and a buffer for each call: 190 µs for a page of 100 KB against 75 µs here, and
 * buffers that the garbage collector must hear of. Where Node has no such context inside, it does the work.
 */

/** Undefined before the first use, null where Node has not what is needed. */
let context: ZstdContext | null | undefined;

/**
 * Inflates the one frame `frame` to exactly `output.length - 1` bytes. The last byte of `output` is room that must
 * stay unused: that is how a frame that holds more is told. False where the frame is anything else.
 */
export function inflateInto(frame: Uint8Array, output: Uint8Array): boolean {
  context = context === undefined ? openZstdContext(createZstdDecompress()) : context;
  if (context === null) return inflateByFunction(frame, output);
  const { handle, state } = context;
  handle.writeSync(constants.ZSTD_e_end, frame, 0, frame.length, output, 0, output.length);
  if (!context.failed && state[0] === 1 && state[1] === 0) return true;
  // An error stays in a context, and so does half a frame.
  context.close();
  context = undefined;
  return false;
}

function inflateByFunction(frame: Uint8Array, output: Uint8Array): boolean {
  const rawBytes = output.length - 1;
  try {
    const raw = zstdDecompressSync(frame, {
      chunkSize: Math.max(64, rawBytes),
      maxOutputLength: Math.max(1, rawBytes),
    });
    if (raw.length !== rawBytes) return false;
    output.set(raw);
    return true;
  } catch {
    return false;
  }
}
