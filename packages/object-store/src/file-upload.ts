import { VivaceError } from '@vivace/kernel';
import { fileWriteError } from './file-errors.ts';
import type { FileTemporaries, GrowingFile } from './file-temporaries.ts';
import type { PutResult, Upload } from './object-store.ts';
import { throwIfAborted } from './store-errors.ts';

export interface FileUploadOptions {
  key: string;
  temporaries: FileTemporaries;
  /** Gives a file that is whole and synced the name of its key, or removes it. */
  commit: (file: string) => Promise<PutResult>;
}

/** A file that grows under a temporary name. What failed to be written cannot be written again: it is gone then. */
export async function createFileUpload({ key, temporaries, commit }: FileUploadOptions): Promise<Upload> {
  let growing: GrowingFile | undefined;
  try {
    growing = await temporaries.begin(key);
  } catch (error) {
    throw fileWriteError(error, key);
  }
  let pieces = 0;
  let result: PutResult | undefined;

  const take = (): GrowingFile => {
    if (growing === undefined) throw uploadGone(key);
    return growing;
  };
  const giveUp = async (): Promise<void> => {
    const file = growing;
    growing = undefined;
    await file?.abort();
  };

  return {
    add: async (number, body, { signal } = {}) => {
      throwIfAborted(signal);
      const file = take();
      if (number !== pieces + 1) throw uploadGone(key);
      try {
        await file.append(body);
        pieces = number;
      } catch (error) {
        await giveUp();
        throw fileWriteError(error, key);
      }
    },
    complete: async ({ signal } = {}) => {
      throwIfAborted(signal);
      if (result !== undefined) return result;
      const file = take();
      try {
        const path = await file.finish();
        growing = undefined;
        result = await commit(path);
        return result;
      } catch (error) {
        await giveUp();
        throw fileWriteError(error, key);
      }
    },
    abort: giveUp,
  };
}

function uploadGone(key: string): VivaceError {
  return new VivaceError('conflict', 'upload-gone', `the upload was given up meanwhile: begin it again, at ${key}`);
}
