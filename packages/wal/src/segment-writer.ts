import path from 'node:path';
import { DIRECT_BLOCK_BYTES, type Files, type WritableFile } from '@vivace/kernel';
import type { OpenSegment } from './disk-stream.ts';
import type { NameSyncs } from './name-syncs.ts';

/**
 * The files that a log writes: the one of the segment that is written, and the one prepared for the next. Calls
 * of `write`, `release` and `close` do not overlap.
 */
export class SegmentWriter {
  readonly #files: Files;
  readonly #names: NameSyncs;
  #active: { segment: OpenSegment; file: WritableFile } | undefined;
  #prepared: { segment: OpenSegment; file: Promise<WritableFile | undefined> } | undefined;

  constructor(files: Files, names: NameSyncs) {
    this.#files = files;
    this.#names = names;
  }

  get active(): OpenSegment | undefined {
    return this.#active?.segment;
  }

  get prepared(): OpenSegment | undefined {
    return this.#prepared?.segment;
  }

  /** Appends to a segment and makes it durable, with its name; closes the one written before. */
  async write(segment: OpenSegment, parts: readonly Uint8Array[]): Promise<void> {
    if (this.#active?.segment !== segment) {
      await this.release();
      this.#active = { segment, file: await this.#take(segment) };
    }
    await this.#active.file.append(parts);
    await this.#active.file.sync();
  }

  /** Creates the file of a segment that will be written soon, so that nobody waits for it then. */
  prepare(segment: OpenSegment): void {
    if (this.#prepared) return;
    this.#prepared = { segment, file: this.#prepare(segment) };
  }

  /** Closes the file that was written. Never throws: what counts is synced. */
  async release(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.file.close().catch(() => undefined);
  }

  /** Closes what is open and removes the file that was prepared in vain. Never throws. */
  async close(): Promise<void> {
    await this.release();
    await this.#discardPrepared();
  }

  async #prepare(segment: OpenSegment): Promise<WritableFile | undefined> {
    let file: WritableFile | undefined;
    try {
      file = await this.#create(segment);
      // Not needed for what follows, but after a power loss an empty file would look like damage.
      await file.sync();
      return file;
    } catch {
      // The segment is created again when it is needed; if that fails too, it is reported there.
      if (file) await this.#remove(segment, file);
      return undefined;
    }
  }

  async #take(segment: OpenSegment): Promise<WritableFile> {
    const prepared = this.#prepared;
    if (prepared?.segment.file === segment.file) {
      this.#prepared = undefined;
      const file = await prepared.file;
      if (file) return file;
    } else await this.#discardPrepared();
    return this.#create(segment);
  }

  async #create(segment: OpenSegment): Promise<WritableFile> {
    const { stream } = segment;
    if (segment.number === 1) {
      await this.#names.making(path.dirname(stream.directory), () => this.#files.makeDirectory(stream.directory));
    }
    let file: WritableFile | undefined;
    try {
      await this.#names.making(stream.directory, async () => {
        file = await this.#files.create(segment.file, { direct: segment.header.length % DIRECT_BLOCK_BYTES === 0 });
        await file.append([segment.header]);
        await this.#names.sync(stream.directory);
      });
      return file as unknown as WritableFile;
    } catch (error) {
      if (file) await this.#remove(segment, file);
      throw error;
    }
  }

  async #discardPrepared(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    const file = await prepared?.file;
    if (prepared && file) await this.#remove(prepared.segment, file);
  }

  async #remove(segment: OpenSegment, file: WritableFile): Promise<void> {
    await file.close().catch(() => undefined);
    await this.#files.unlink(segment.file).catch(() => undefined);
  }
}
