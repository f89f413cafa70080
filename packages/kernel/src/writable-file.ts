import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { copyBytes } from './copy-bytes.ts';
import { assert } from './errors.ts';
import { systemErrorCode } from './system-error.ts';

export interface WritableFile {
  /** Appends the parts one after another. On an error an unknown prefix may have been written. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** Makes everything appended so far durable (fdatasync). After a failure nothing about the file is known. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What a direct append must be a multiple of: no disk has larger blocks. */
export const DIRECT_BLOCK_BYTES = 4096;

/** Direct writes go through memory that begins at a page, as only that of WebAssembly is sure to: 16 × 64 KiB. */
const PIECE_PAGES = 16;
const PIECES_KEPT = 2;
const idlePieces: Uint8Array[] = [];

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
const MODE = 0o644;

/** `Files.create` of the system. */
export async function createFile(file: string, { direct = false } = {}): Promise<WritableFile> {
  if (!direct) return writable(await fs.open(file, CREATE, MODE));
  // Missing where the system has no such flag.
  const flag = (constants.O_DIRECT as number | undefined) ?? 0;
  try {
    return new DirectFile(file, await fs.open(file, CREATE | flag, MODE));
  } catch (error) {
    if (!refusesDirect(error)) throw error;
    // The name is ours already: a file system that cannot do it says so after it has made the file.
    return new DirectFile(file, await fs.open(file, CREATE & ~constants.O_EXCL, MODE));
  }
}

function writable(handle: fs.FileHandle): WritableFile {
  return {
    append: async (parts) => {
      let rest = parts.filter((part) => part.length > 0);
      while (rest.length > 0) {
        const { bytesWritten } = await handle.writev(rest);
        rest = unwritten(rest, bytesWritten);
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** What is left of the parts after the system has taken the first `written` bytes. */
function unwritten(parts: Uint8Array[], written: number): Uint8Array[] {
  let left = written;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Uint8Array;
    if (left < part.length) return [part.subarray(left), ...parts.slice(i + 1)];
    left -= part.length;
  }
  return [];
}

/** Writes whole blocks from memory that begins at a page, so that the system need not copy them first (O_DIRECT). */
class DirectFile implements WritableFile {
  readonly #file: string;
  #handle: fs.FileHandle;
  #size = 0;
  #cached = false;

  constructor(file: string, handle: fs.FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    assert(bytes % DIRECT_BLOCK_BYTES === 0, `a direct write has whole blocks, not ${bytes} bytes`);
    const piece = idlePieces.pop() ?? newPiece();
    try {
      let used = 0;
      for (const part of parts) {
        for (let at = 0; at < part.length; ) {
          const taken = part.subarray(at, at + piece.length - used);
          copyBytes(piece, taken, used);
          at += taken.length;
          used += taken.length;
          if (used < piece.length) continue;
          await this.#write(piece);
          used = 0;
        }
      }
      await this.#write(piece.subarray(0, used));
    } finally {
      if (idlePieces.length < PIECES_KEPT) idlePieces.push(piece);
    }
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      try {
        const result = await this.#handle.write(bytes, written, bytes.length - written, this.#size);
        written += result.bytesWritten;
        this.#size += result.bytesWritten;
      } catch (error) {
        if (!refusesDirect(error)) throw error;
        await this.#throughCache(error);
      }
    }
  }

  /** Some file systems take the flag and refuse the first write. */
  async #throughCache(refusal: unknown): Promise<void> {
    if (this.#cached) throw refusal;
    this.#cached = true;
    const direct = this.#handle;
    this.#handle = await fs.open(this.#file, constants.O_WRONLY);
    await direct.close();
  }
}

/** The part of WebAssembly that is used here; the types of the language have it only with a browser's. */
declare const WebAssembly: { Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer } };

function newPiece(): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: PIECE_PAGES, maximum: PIECE_PAGES }).buffer);
}

function refusesDirect(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'EINVAL' || code === 'ENOTSUP' || code === 'EOPNOTSUPP';
}
