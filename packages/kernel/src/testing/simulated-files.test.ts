import { describe, expect, test } from 'vitest';
import { seededRandom } from '../random.ts';
import { systemErrorCode } from '../system-error.ts';
import { createScheduler } from './scheduler.ts';
import { SimulatedFiles } from './simulated-files.ts';

const seeds = Array.from({ length: 64 }, (_, seed) => seed);
const text = (value: string) => new TextEncoder().encode(value);

async function content(files: SimulatedFiles, file: string): Promise<string> {
  try {
    return new TextDecoder().decode(await files.readFile(file));
  } catch (error) {
    return systemErrorCode(error) ?? 'not a system error';
  }
}

async function write(files: SimulatedFiles, file: string, value: string) {
  const handle = await files.create(file);
  await handle.append([text(value)]);
  return handle;
}

/** The different things found after a power loss, over all seeds. */
async function outcomes(
  prepare: (files: SimulatedFiles) => Promise<void>,
  look: (files: SimulatedFiles) => Promise<string>,
) {
  const found = new Set<string>();
  for (const seed of seeds) {
    const files = new SimulatedFiles();
    await prepare(files);
    found.add(await look(files.crash(seededRandom(seed))));
  }
  return [...found].sort((a, b) => (a < b ? -1 : 1));
}

describe('a power loss', () => {
  test('keeps what was synced in a file whose name was synced', async () => {
    const found = await outcomes(
      async (files) => {
        await files.makeDirectory('/a/b');
        await (await write(files, '/a/b/file', 'hello')).sync();
        await files.syncDirectory('/a/b');
      },
      (files) => content(files, '/a/b/file'),
    );
    expect(found).toEqual(['hello']);
  });

  test('may or may not keep a name whose directory was not synced', async () => {
    const found = await outcomes(
      async (files) => (await write(files, '/file', 'hello')).sync(),
      (files) => content(files, '/file'),
    );
    expect(found).toEqual(['ENOENT', 'hello']);
  });

  test('keeps all, nothing, a prefix or a garbled form of bytes that were not synced', async () => {
    const found = await outcomes(
      async (files) => {
        const handle = await write(files, '/file', 'hello');
        await files.syncDirectory('/');
        await handle.sync();
        await handle.append([text(' '), text('world')]);
      },
      (files) => content(files, '/file'),
    );
    expect(found).toContain('hello');
    expect(found).toContain('hello world');
    expect(['hello ', 'hello w', 'hello wo', 'hello wor', 'hello worl'].some((cut) => found.includes(cut))).toBe(true);
    expect(found).toContain('hello\0\0\0\0\0\0');
    expect(found.length).toBeGreaterThan(5);
    for (const value of found) expect(value.slice(0, 5)).toBe('hello');
  });

  test('moves a renamed file whole or not at all', async () => {
    const found = await outcomes(
      async (files) => {
        await (await write(files, '/old', 'new content')).sync();
        await (await write(files, '/name', 'old content')).sync();
        await files.syncDirectory('/');
        await files.rename('/old', '/name');
      },
      async (files) => `${await content(files, '/old')}, ${await content(files, '/name')}`,
    );
    expect(found).toEqual(['ENOENT, new content', 'new content, old content']);
  });

  test('may bring back a removed name until its directory is synced', async () => {
    const prepare = async (files: SimulatedFiles) => {
      await (await write(files, '/file', 'hello')).sync();
      await files.syncDirectory('/');
      await files.unlink('/file');
    };
    expect(await outcomes(prepare, (files) => content(files, '/file'))).toEqual(['ENOENT', 'hello']);
    const synced = async (files: SimulatedFiles) => {
      await prepare(files);
      await files.syncDirectory('/');
    };
    expect(await outcomes(synced, (files) => content(files, '/file'))).toEqual(['ENOENT']);
  });

  test('takes every subset of unsynced links, which share their bytes', async () => {
    const found = await outcomes(
      async (files) => {
        await (await write(files, '/first', 'x')).sync();
        await files.syncDirectory('/');
        await files.link('/first', '/second');
        await files.unlink('/first');
      },
      async (files) => `${await content(files, '/first')} ${await content(files, '/second')}`,
    );
    expect(found).toEqual(['ENOENT ENOENT', 'ENOENT x', 'x ENOENT', 'x x']);
  });

  test('keeps a truncation, which is durable', async () => {
    const found = await outcomes(
      async (files) => {
        await (await write(files, '/file', 'hello')).sync();
        await files.syncDirectory('/');
        await files.truncate('/file', 2);
      },
      (files) => content(files, '/file'),
    );
    expect(found).toEqual(['he']);
  });

  test('may come after a process died, and still takes what that process did not sync', async () => {
    const found = await outcomes(
      async (files) => {
        await (await write(files, '/file', 'hello')).sync();
      },
      async (files) => {
        const before = await content(files, '/file');
        await files.truncate('/file', 0).catch(() => undefined);
        const killed = files.kill();
        await expect(files.readDirectory('/')).rejects.toThrow('EIO');
        return `${before}, ${await content(killed, '/file')}`;
      },
    );
    expect(found).toEqual(['ENOENT, ENOENT', 'hello, ']);
    const files = new SimulatedFiles();
    await write(files, '/file', 'hello');
    expect(await content(files.kill(), '/file')).toBe('hello');
  });

  test('leaves the processes of the time before without a disk', async () => {
    const files = new SimulatedFiles();
    const handle = await write(files, '/file', 'hello');
    const after = files.crash(seededRandom(1));
    await expect(handle.sync()).rejects.toThrow('EIO');
    await expect(files.unlink('/file')).rejects.toThrow('EIO');
    await after.makeDirectory('/fresh');
    await expect(files.readDirectory('/')).rejects.toThrow('EIO');
  });
});

describe('faults', () => {
  test('a failed sync loses the bytes for good although the next sync succeeds', async () => {
    const found = await outcomes(
      async (files) => {
        const handle = await write(files, '/file', 'synced ');
        await files.syncDirectory('/');
        await handle.sync();
        await handle.append([text('lost ')]);
        files.fault = (operation) => (operation.name === 'sync' ? 'EIO' : undefined);
        await expect(handle.sync()).rejects.toThrow('EIO');
        files.fault = undefined;
        await handle.append([text('later')]);
        await handle.sync();
        expect(await content(files, '/file')).toBe('synced lost later');
      },
      (files) => content(files, '/file'),
    );
    expect(found).toEqual(['synced \0\0\0\0\0later']);
  });

  test('a failed directory sync leaves its names in doubt although the next sync succeeds', async () => {
    const found = await outcomes(
      async (files) => {
        await (await write(files, '/file', 'x')).sync();
        files.fault = (operation) => (operation.name === 'syncDirectory' ? 'EIO' : undefined);
        await expect(files.syncDirectory('/')).rejects.toThrow('EIO');
        files.fault = undefined;
        await files.syncDirectory('/');
      },
      (files) => content(files, '/file'),
    );
    expect(found).toEqual(['ENOENT', 'x']);
  });

  test('a chosen operation fails', async () => {
    const files = new SimulatedFiles({ fault: ({ number }) => (number === 2 ? 'ENOSPC' : undefined) });
    const handle = await files.create('/file');
    const error = await handle.append([text('hello')]).catch((caught: unknown) => caught);
    expect(systemErrorCode(error)).toBe('ENOSPC');
    expect(await content(files, '/file')).toBe('he');
  });

  test('a full disk takes what fits and works again when there is space', async () => {
    const files = new SimulatedFiles({ capacityBytes: 8 });
    const handle = await write(files, '/file', 'hello');
    await expect(handle.append([text('wor'), text('ld')])).rejects.toThrow('ENOSPC');
    await expect(files.create('/other')).rejects.toThrow('ENOSPC');
    expect(files.usedBytes).toBe(8);
    await files.unlink('/file');
    await (await write(files, '/other', 'fits')).sync();
  });
});

test('names behave as on a real disk', async () => {
  const files = new SimulatedFiles();
  await files.makeDirectory('/a');
  await write(files, '/a/x', '1');
  await expect(files.create('/a/x')).rejects.toThrow('EEXIST');
  await expect(files.create('/b/x')).rejects.toThrow('ENOENT');
  await expect(files.link('/a/x', '/a/x')).rejects.toThrow('EEXIST');
  await expect(files.removeDirectory('/a')).rejects.toThrow('ENOTEMPTY');
  await expect(files.readFile('/a')).rejects.toThrow('EISDIR');
  expect(await files.readDirectory('/')).toEqual([{ name: 'a', directory: true }]);
  expect(files.count('create')).toBe(3);
});

test('the scheduler gives the same order for the same seed and different orders for others', async () => {
  const play = async (seed: number) => {
    const scheduler = createScheduler(seededRandom(seed));
    const files = new SimulatedFiles({ pause: () => scheduler.pause() });
    const done: string[] = [];
    const work = ['a', 'b', 'c'].map(async (name) => {
      await (await files.create(`/${name}`)).sync();
      await scheduler.clock.sleep(10);
      done.push(name);
    });
    await scheduler.run(() => done.length === 3);
    await Promise.all(work);
    return done.join('');
  };
  expect(await play(1)).toBe(await play(1));
  expect(new Set(await Promise.all(seeds.slice(0, 20).map(play))).size).toBeGreaterThan(2);
});
