import path from 'node:path';
import { type Files, systemErrorCode, type WritableFile } from '@vivace/kernel';
import { isKey, RESERVED_SEGMENT } from './keys.ts';

/**
 * Files on their way into the file-system store. A put keeps its file here until its key is durable, under a
 * name that tells the key: so what a killed process had put but not synced is found at the next start.
 */
export interface FileTemporaries {
  /** Paths of what an earlier process left, with the key it was for; undefined where the name does not tell. */
  readonly leftovers: readonly { file: string; key: string | undefined }[];
  /** Writes the parts to a new file and syncs it; the path of the file. */
  write(key: string, parts: readonly Uint8Array[]): Promise<string>;
  /** Begins a file that is written piece by piece. */
  begin(key: string): Promise<GrowingFile>;
  /** A second name for such a file, to be renamed to where it belongs. */
  double(file: string, key: string): Promise<string>;
  /** Removes a file. What stays, the next start removes. */
  remove(file: string): Promise<void>;
}

/** A file on its way. After a failure it can only be given up. */
export interface GrowingFile {
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** Syncs it; the path of the file. */
  finish(): Promise<string>;
  /** Removes it. */
  abort(): Promise<void>;
}

const MAX_NAME_LENGTH = 240;
// Not in the alphabet of keys.
const SLASH = '^';

/** Of all stores of this process: one given up with puts under way must not meet its successor's files. */
let count = 0;

export async function openFileTemporaries(root: string, files: Files): Promise<FileTemporaries> {
  const directory = path.join(root, RESERVED_SEGMENT);
  await files.makeDirectory(directory);
  const names = (await files.readDirectory(directory)).filter((entry) => !entry.directory).map((entry) => entry.name);
  for (const name of names) count = Math.max(count, Number.parseInt(name, 10) || 0);

  const remove = async (file: string) => {
    await files.unlink(file).catch(() => undefined);
  };

  return {
    leftovers: names.map((name) => ({ file: path.join(directory, name), key: keyOf(name) })),
    async write(key, parts) {
      const file = path.join(directory, nameOf(++count, key));
      let open: WritableFile | undefined;
      try {
        open = await files.create(file);
        await open.append(parts);
        await open.sync();
        await open.close();
      } catch (error) {
        await open?.close().catch(() => undefined);
        if (systemErrorCode(error) !== 'EEXIST') await remove(file);
        throw error;
      }
      return file;
    },
    async begin(key) {
      const file = path.join(directory, nameOf(++count, key));
      const open = await files.create(file);
      return {
        append: (parts) => open.append(parts),
        finish: async () => {
          await open.sync();
          await open.close();
          return file;
        },
        abort: async () => {
          await open.close().catch(() => undefined);
          await remove(file);
        },
      };
    },
    async double(file, key) {
      const name = path.join(directory, nameOf(++count, key));
      await files.link(file, name);
      return name;
    },
    remove,
  };
}

function nameOf(number: number, key: string): string {
  const name = `${number}${SLASH}${key.replaceAll('/', SLASH)}`;
  return name.length <= MAX_NAME_LENGTH ? name : `${number}${SLASH}`;
}

function keyOf(name: string): string | undefined {
  const key = name.slice(name.indexOf(SLASH) + 1).replaceAll(SLASH, '/');
  return isKey(key) ? key : undefined;
}
