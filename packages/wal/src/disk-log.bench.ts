import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock, systemFiles, systemRandom } from '@vivace/kernel';
import { openDiskLog } from './index.ts';
import { LOADS, measureLog } from './testing/measure-log.ts';

/* What the log costs on a real disk: `node packages/wal/src/disk-log.bench.ts [directory]`. */

const parent = process.argv[2] ?? tmpdir();
for (const load of LOADS) {
  const directory = await mkdtemp(path.join(parent, 'vivace-log-'));
  let syncs = 0;
  const files: typeof systemFiles = {
    ...systemFiles,
    create: async (file) => {
      const handle = await systemFiles.create(file);
      const sync = () => {
        syncs++;
        return handle.sync();
      };
      return { ...handle, sync };
    },
  };
  try {
    const log = await openDiskLog({ files, clock: systemClock, random: systemRandom, directory });
    await measureLog(load, log, { what: 'syncs', flushes: () => syncs });
  } finally {
    await rm(directory, { recursive: true });
  }
}
