import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Files, systemFiles } from '@vivace/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createFileStore } from './file-store.ts';

describeObjectStore('the file-system store', async () => {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-store-'));
  const store = await createFileStore({ directory });
  return {
    store,
    close: async () => {
      await store.close();
      await fs.rm(directory, { recursive: true });
    },
  };
});
