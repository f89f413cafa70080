import path from 'node:path';
import { type Clock, type Files, systemClock, systemErrorCode, systemFiles, VivaceError } from '@vivace/kernel';
import {
  type CacheFileName,
  cacheObjectName,
  decodeCacheFile,
  encodeCacheFile,
  formatCacheFileName,
  parseCacheFileName,
} from './cache-file.ts';
import type { ByteRange, StoredObject } from './object-store.ts';

export interface DiskCacheOptions {
  /** For this cache alone; locked by who opens it. */
  directory: string;
  maxBytes: number;
  files?: Files;
  clock?: Clock;
  /** Hears of a disk that takes nothing, at most once a minute. */
  onProblem?: (error: VivaceError) => void;
}

/** What the cache holds, and what it has done so far. */
export interface DiskCacheUsage {
  bytes: number;
  files: number;
  hits: number;
  misses: number;
  hitBytes: number;
  evictions: number;
  /** Files that were not what was written: torn by a crash, or damaged. */
  damaged: number;
  /** Writes that the disk did not take. */
  failures: number;
  /** What was not kept because too much was being written, or the disk had failed a moment ago. */
  skipped: number;
}

/** What a file takes on a disk is whole blocks of this. */
const DISK_BLOCK_BYTES = 4096;
/** Of each the name is in memory, some 300 bytes. */
const MAX_FILES = 200_000;
/** What waits to be written; more is not kept. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** Larger ones would push out too much of what is asked more often. */
const MAX_FILE_SHARE = 8;
/** Of a file up to this all is read for a part of it, because only all of it can be checked. */
const MAX_COVERING_BYTES = 1024 * 1024;
/** A disk that did not take a file is left alone for so long. */
const PAUSE_MS = 60_000;
const TEMPORARY = 'tmp';
const FOLDER = /^[0-9a-f]{2}$/;

interface Entry extends CacheFileName {
  name: string;
}

/**
 * Ranges of objects as files in a directory, bounded in bytes; what was used last stays. Nothing in it has to survive,
 * so nothing is synced: files come by rename, and one that a crash has torn fails its checksum and is a miss. After a
 * start everything that is there is used again, in no order of age. A disk that is full or broken makes misses, never
 * errors.
 */
export class DiskCache {
  readonly #options: Required<DiskCacheOptions>;
  /** By name, in the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #objects = new Map<string, Set<Entry>>();
  readonly #folders = new Set<string>();
  readonly #counts = { hits: 0, misses: 0, hitBytes: 0, evictions: 0, damaged: 0, failures: 0, skipped: 0 };
  #bytes = 0;
  #pendingBytes = 0;
  /** Changes of the directory, one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #temporaries = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(options: DiskCacheOptions) {
    this.#options = { files: systemFiles, clock: systemClock, onProblem: () => undefined, ...options };
  }

  /** Takes over what an earlier process left. Rejects where the directory cannot be made or listed. */
  static async open(options: DiskCacheOptions): Promise<DiskCache> {
    const cache = new DiskCache(options);
    await cache.#takeOver();
    return cache;
  }

  get usage(): DiskCacheUsage {
    return { bytes: this.#bytes, files: this.#entries.size, ...this.#counts };
  }

  /** What the store once answered; the caller's own. Undefined where it is not here, or not whole. */
  async read(key: string, range: ByteRange | undefined): Promise<StoredObject | undefined> {
    const entry = this.#find(cacheObjectName(key), range);
    const object = entry && (await this.#load(entry, key));
    if (entry === undefined || object === undefined) {
      this.#counts.misses++;
      return undefined;
    }
    const bytes = range === undefined ? object.bytes : cut(object.bytes, range, entry);
    this.#counts.hits++;
    this.#counts.hitBytes += bytes.length;
    return { ...object, bytes };
  }

  /** Keeps a copy of what the store answered, some time later. */
  keep(object: StoredObject, range: ByteRange | undefined): void {
    const { clock, maxBytes } = this.#options;
    const { length } = object.bytes;
    if (this.#isClosed || length > maxBytes / MAX_FILE_SHARE) return;
    const pendingBytes = length + DISK_BLOCK_BYTES;
    if (this.#pendingBytes + pendingBytes > MAX_PENDING_BYTES || clock.monotonicMs() < this.#pausedUntilMs) {
      this.#counts.skipped++;
      return;
    }
    const file = encodeCacheFile(object, range);
    const place: CacheFileName = {
      object: cacheObjectName(object.key),
      offset: range?.offset ?? 0,
      length,
      isWhole: range === undefined,
      fileBytes: file.length,
    };
    const name = formatCacheFileName(place);
    // What a later start would not know is not written.
    if (parseCacheFileName(name) === undefined) return;
    this.#pendingBytes += pendingBytes;
    void this.#change(() => this.#write({ ...place, name }, file)).finally(() => {
      this.#pendingBytes -= pendingBytes;
    });
  }

  /** Lets go of all that is kept of an object. */
  async forget(key: string): Promise<void> {
    await this.#change(async () => {
      for (const entry of this.#objects.get(cacheObjectName(key)) ?? []) await this.#remove(entry);
    });
  }

  /** When what was given to `keep` so far is on the disk, or given up. */
  async settle(): Promise<void> {
    await this.#changes;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#changes;
  }

  async #takeOver(): Promise<void> {
    const { directory, files } = this.#options;
    const temporaries = path.join(directory, TEMPORARY);
    await files.makeDirectory(temporaries);
    for (const { name } of await files.readDirectory(temporaries)) {
      await files.unlink(path.join(temporaries, name)).catch(() => undefined);
    }
    for (const folder of await files.readDirectory(directory)) {
      if (!folder.directory || !FOLDER.test(folder.name)) continue;
      this.#folders.add(folder.name);
      for (const { name } of await files.readDirectory(path.join(directory, folder.name))) {
        const place = parseCacheFileName(name);
        if (place?.object.startsWith(folder.name)) this.#add({ ...place, name });
      }
    }
    await this.#makeRoom(0);
  }

  /** The exact range, or else a file that has it in it. */
  #find(object: string, range: ByteRange | undefined): Entry | undefined {
    let covering: Entry | undefined;
    for (const entry of this.#objects.get(object) ?? []) {
      if (range === undefined) {
        if (entry.isWhole) return entry;
        continue;
      }
      if (entry.offset === range.offset && entry.length === range.length) return entry;
      const covers = entry.offset <= range.offset && entry.offset + entry.length >= range.offset + range.length;
      if (covers && entry.fileBytes <= MAX_COVERING_BYTES) covering = entry;
    }
    return covering;
  }

  async #load(entry: Entry, key: string): Promise<StoredObject | undefined> {
    // It is in use: nothing else pushes it out now.
    this.#entries.delete(entry.name);
    this.#entries.set(entry.name, entry);
    try {
      const file = await this.#options.files.open(this.#pathOf(entry));
      try {
        // A byte more than it should have: what is longer is not ours either.
        const object = decodeCacheFile(await file.read(0, entry.fileBytes + 1), entry, key);
        if (object !== undefined) return object;
      } finally {
        await file.close();
      }
    } catch {
      // Gone or unreadable: as good as damaged.
    }
    // Where it was pushed out meanwhile nothing is wrong with it.
    if (this.#entries.get(entry.name) === entry) {
      this.#counts.damaged++;
      void this.#change(() => this.#remove(entry));
    }
    return undefined;
  }

  async #write(entry: Entry, file: Uint8Array): Promise<void> {
    const { directory, files, clock } = this.#options;
    const isThere = [...(this.#objects.get(entry.object) ?? [])].some((other) => isSame(entry, other));
    if (isThere || clock.monotonicMs() < this.#pausedUntilMs) return;
    await this.#makeRoom(diskBytes(entry));
    const temporary = path.join(directory, TEMPORARY, String(this.#temporaries++));
    try {
      const folder = entry.object.slice(0, 2);
      if (!this.#folders.has(folder)) {
        await files.makeDirectory(path.join(directory, folder));
        this.#folders.add(folder);
      }
      const handle = await files.create(temporary);
      try {
        await handle.append([file]);
      } finally {
        await handle.close();
      }
      await files.rename(temporary, this.#pathOf(entry));
      this.#add(entry);
    } catch (error) {
      this.#fail(error);
      await files.unlink(temporary).catch(() => undefined);
    }
  }

  #fail(cause: unknown): void {
    const { directory, clock, onProblem } = this.#options;
    this.#counts.failures++;
    this.#pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
    const code = systemErrorCode(cause) ?? 'unknown';
    onProblem(
      new VivaceError('unavailable', 'disk-cache-write', `the disk cache took nothing (${code}), in ${directory}`, {
        cause,
      }),
    );
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.name, entry);
    this.#bytes += diskBytes(entry);
    const ranges = this.#objects.get(entry.object);
    if (ranges === undefined) this.#objects.set(entry.object, new Set([entry]));
    else ranges.add(entry);
  }

  async #makeRoom(bytes: number): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (this.#bytes + bytes <= this.#options.maxBytes && this.#entries.size < MAX_FILES) return;
      await this.#remove(entry);
      this.#counts.evictions++;
    }
  }

  async #remove(entry: Entry): Promise<void> {
    if (!this.#entries.delete(entry.name)) return;
    this.#bytes -= diskBytes(entry);
    const ranges = this.#objects.get(entry.object);
    ranges?.delete(entry);
    if (ranges?.size === 0) this.#objects.delete(entry.object);
    await this.#options.files.unlink(this.#pathOf(entry)).catch(() => undefined);
  }

  #pathOf({ object, name }: Entry): string {
    return path.join(this.#options.directory, object.slice(0, 2), name);
  }

  #change(work: () => Promise<void>): Promise<void> {
    this.#changes = this.#changes.then(work);
    return this.#changes;
  }
}

function diskBytes({ fileBytes }: CacheFileName): number {
  return Math.ceil(fileBytes / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES;
}

function isSame(one: CacheFileName, other: CacheFileName): boolean {
  return one.offset === other.offset && one.length === other.length && one.isWhole === other.isWhole;
}

/** A copy where it is a part: all of the file is not to stay in memory for it. */
function cut(bytes: Uint8Array, { offset, length }: ByteRange, entry: Entry): Uint8Array {
  if (length === entry.length) return bytes;
  return bytes.slice(offset - entry.offset, offset - entry.offset + length);
}
