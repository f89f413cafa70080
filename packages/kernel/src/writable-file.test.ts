import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemFiles } from './files.ts';
import { seededRandom } from './random.ts';
import { DIRECT_BLOCK_BYTES } from './writable-file.ts';

/** A disk where there is one, and memory, which in older systems cannot be written directly. */
const PARENTS = [tmpdir(), ...(process.platform === 'linux' ? ['/dev/shm'] : [])];

describe.each(PARENTS)('a file in %s written directly', (parent) => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(parent, 'vivace-direct-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('holds what was appended, whatever the parts are', async () => {
    const random = seededRandom(1);
    const file = path.join(directory, 'parts');
    const writable = await systemFiles.create(file, { direct: true });
    const written: Uint8Array[] = [];
    // More than one piece of memory, exactly one, and a block.
    for (const lengths of [[1, 3_000_000, 700, 0], [1024 * 1024], [DIRECT_BLOCK_BYTES]]) {
      const parts = lengths.map((length) => random.bytes(length));
      const total = parts.reduce((sum, part) => sum + part.length, 0);
      parts.push(new Uint8Array((DIRECT_BLOCK_BYTES - (total % DIRECT_BLOCK_BYTES)) % DIRECT_BLOCK_BYTES));
      await writable.append(parts);
      await writable.sync();
      written.push(...parts);
      expect(Buffer.compare(await readFile(file), Buffer.concat(written))).toBe(0);
    }
    await writable.close();
  });

  test('two at a time do not get into each other', async () => {
    const files = ['a', 'b', 'c'].map((name) => path.join(directory, name));
    await Promise.all(
      files.map(async (file, i) => {
        const writable = await systemFiles.create(file, { direct: true });
        for (let n = 0; n < 3; n++) await writable.append([new Uint8Array(2 * 1024 * 1024).fill(i + 1)]);
        await writable.close();
      }),
    );
    for (const [i, file] of files.entries()) {
      const bytes = await readFile(file);
      expect(bytes.length).toBe(6 * 1024 * 1024);
      expect(bytes.every((byte) => byte === i + 1)).toBe(true);
    }
  });

  test('must not be there yet, and takes whole blocks only', async () => {
    const file = path.join(directory, 'twice');
    const writable = await systemFiles.create(file, { direct: true });
    await expect(systemFiles.create(file, { direct: true })).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(writable.append([new Uint8Array(100)])).rejects.toThrow('whole blocks');
    await writable.close();
  });
});
