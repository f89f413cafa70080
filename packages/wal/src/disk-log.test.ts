import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { seededRandom, systemClock, systemFiles, systemRandom } from '@vivace/kernel';
import { SimulatedFiles } from '@vivace/kernel/testing';
import { openDiskLog } from './disk-log.ts';
import { describeLog } from './testing.ts';

const limits = { segmentMaxBytes: 64 * 1024 };

describeLog('disk', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'vivace-log-'));
  return {
    open: () =>
      openDiskLog({
        files: systemFiles,
        clock: systemClock,
        random: systemRandom,
        directory: path.join(directory, 'wal'),
        limits,
      }),
    close: () => rm(directory, { recursive: true }),
  };
});

describeLog('simulated disk', async () => {
  const files = new SimulatedFiles();
  let timeMs = 1_700_000_000_000;
  const options = { files, clock: systemClock, random: seededRandom(1), directory: '/data/wal', limits };
  return {
    open: () => openDiskLog({ ...options, idTimeMs: () => timeMs++ }),
    close: async () => undefined,
  };
});
